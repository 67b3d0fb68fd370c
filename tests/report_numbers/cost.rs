//! Tests of `report/cost.rs`.

use super::made_up::{run, study};
use toalign::report::cost::*;

#[test]
fn seconds_stand_beside_the_paper_s() {
    let mut study = study();
    study.runs.push(run("Ar-Cl", "dannp", 1, 50.0));
    study.runs.push(run("Ar-Cl", "dannp+toalign", 1, 50.0));
    let table = cost_table(&study);
    assert_eq!(table.rows()[0], ["DANNP", "0.200", "", "", "550", ""]);
    assert_eq!(table.rows()[1], ["DANNP+ToAlign", "0.300", "1.50", "DANNP", "590", "1.07"]);
    assert_eq!(table.rows()[3], ["HDA+ToAlign", "0.300", "1.50", "HDA", "", ""]);
    assert!(published_cost().contains("590 ms and 6668 MB, 1.07 and 1.001 times"), "{}", published_cost());
}

#[test]
fn memory_is_compared_in_the_same_setting_only() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("bench.jsonl");
    let line = |method: &str, batch: usize, seconds: f64, memory: f64| {
        format!(
            r#"{{"method":"{method}","backbone":"resnet50","batch":{batch},"image":224,"device":"cpu","seconds_per_step":{seconds},"peak_mb":{memory},"device_peak_mb":null,"threads":2}}"#
        )
    };
    let lines =
        [line("hda", 8, 2.0, 1600.0), line("hda+toalign", 8, 2.2, 1680.0), line("hda+toalign", 16, 5.0, 9.0)];
    std::fs::write(&file, lines.join("\n")).unwrap();
    let table = bench_table(&read_bench(&file).unwrap());
    assert_eq!(table.rows()[1][2..], ["2.200", "1.10", "1680", "1.05"]);
    assert_eq!(table.rows()[2][2..], ["5.000", "", "9", ""]);
    std::fs::write(&file, format!("{}\n{{\"method\":", lines[0])).unwrap();
    let message = read_bench(&file).unwrap_err().to_string();
    assert!(message.contains("bench.jsonl:2: expected a line of `toalign bench --json`"), "{message}");
    std::fs::write(&file, "").unwrap();
    assert!(read_bench(&file).unwrap_err().to_string().contains("found none"));
}
