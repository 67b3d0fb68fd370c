//! Tests of `report/write.rs`.

use super::made_up::{run, run_of_tests, study};
use toalign::report::selection::Choice;
use toalign::report::write::*;
use toalign::runs::study::Study;

#[test]
fn csv_has_a_row_for_each_finished_run() {
    let mut study =
        Study { runs: vec![run_of_tests(&[(60.0, 0.5, 2.5), (70.0, 0.4, 2.0), (65.5, 0.3, 2.1)])] };
    study.runs.push(run("Cl-Rw", "a,\"b\"", 2, 50.0));
    study.runs.push(run("Cl-Rw", "hda", 3, 50.0));
    study.runs[2].records.clear();
    let expected = "\
task,method,seed,last,best_oracle,best_oracle_step,by_entropy,by_entropy_step,by_snd,by_snd_step,seconds_per_step,source_last,entropy_last,snd_last
Cl-Rw,hda,1,65.5000,70.0000,200,65.5000,300,60.0000,100,0.200000,99.0000,0.300000,2.100000
Cl-Rw,\"a,\"\"b\"\"\",2,50.0000,50.0000,400,,,,,0.200000,,,
";
    assert_eq!(csv(&study), expected);
}

#[test]
fn latex_is_the_paper_s_table() {
    let mut study = study();
    study.runs.push(run("Ar-Cl", "source-only", 1, 40.0));
    let expected = r"% Needs \usepackage{booktabs}.
\begin{table}
\centering\scriptsize\setlength{\tabcolsep}{3pt}
\caption{Accuracy (\%) on the target of my\_set after the last step; mean $\pm$ sample standard deviation over up to 3 seeds. Bold: the largest mean of a column, whether or not the difference is significant.}
\begin{tabular}{lccc}
\toprule
Method & Ar$\to$Cl & Cl$\to$Rw & Avg \\
\midrule
Source only & 40.0 & -- & -- \\
HDA & 54.0$_{\pm2.0}$ & 64.0$_{\pm2.0}$ & 59.0$_{\pm2.0}$ \\
HDA+ToAlign & \textbf{56.0}$_{\pm3.0}$ & \textbf{68.0}$_{\pm3.0}$ & \textbf{62.0}$_{\pm3.0}$ \\
\bottomrule
\end{tabular}
\end{table}
";
    assert_eq!(latex(&study, "my_set", Choice::Last), expected);
    assert!(latex(&study, "m", Choice::Best).contains("(an oracle)"));
}
