//! Tests of `report/one_task.rs`.

use super::made_up::run;
use toalign::report::one_task::*;
use toalign::runs::study::Study;
use toalign::train::record::Record;

#[test]
fn gains_are_over_source_only() {
    let mut study = Study {
        runs: [("source-only", 57.5), ("dannp", 71.64), ("hda", 57.46)]
            .map(|(method, last)| run("Cl-Rw", method, 1, last))
            .to_vec(),
    };
    for (run, best) in study.runs.iter_mut().zip([58.0, 72.0, f64::NAN]) {
        let [Record::Finish(finish)] = &mut run.records[..] else { panic!("{run:?}") };
        (finish.best_target_accuracy, finish.seconds_per_step) = (best, 0.0625);
    }
    let expected = "\
method       last %  best % (oracle)  gain over source-only  seconds per step
-----------  ------  ---------------  ---------------------  ----------------
Source only    57.5             58.0                                    0.062
DANNP          71.6             72.0                  +14.1             0.062
HDA            57.5                –                   +0.0             0.062
";
    assert_eq!(results_table(&study).to_string(), expected);
    let widest = expected.lines().map(str::len).max().unwrap();
    assert!(widest <= 80, "{widest}");
    study.runs.remove(0);
    assert_eq!(results_table(&study).rows()[0][3], "");
    study.runs[0].records.clear();
    assert_eq!(results_table(&study).rows()[0][1..], ["–", "–", "", "–"]);
}
