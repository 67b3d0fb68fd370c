//! The cells of the lesson `07_office_home_runs`; written by `TOALIGN_WRITE_CELLS=1 cargo test --test notebooks`.

#[rustfmt::skip]
fn lesson() -> Result<(), Box<dyn std::error::Error>> {
{ // cell 2
use toalign::prelude::*;
use toalign::data::office_home;
let pictures = std::path::PathBuf::from("../office-home"); // or wherever yours is
let data = if pictures.is_dir() { DataSource::OfficeHome(pictures) } else { DataSource::Mini };
println!("pictures: {data}");
;
{ // cell 4
let classes = office_home::classes()?;
let mut sizes = Histogram::new("How many pictures has a class of Office-Home?", "pictures of one class in one domain");
for (place, name) in office_home::DOMAINS.iter().enumerate() {
    sizes = sizes.sample(&name.replace(' ', "_"), classes.iter().map(|class| class.pictures[place] as f64));
}
show(&sizes)?;
;
{ // cell 6
let base = RunConfig {
    data: data.clone(), steps: 100, test_every: 50, checkpoint_every: 25, log_every: 25, ..RunConfig::mini()
};
let plan = Plan::new(&base, &["Cl-Rw", "Pr-Ar"], &["hda", "hda+toalign"], &[1, 2])?;
let root = std::env::temp_dir().join(format!("toalign-lesson-07-{}", std::process::id()));
fn states(plan: &Plan, root: &std::path::Path) -> toalign::Result<Table> {
    let mut table = Table::new(["run", "folder", "state"].map(|name| (name, Align::Left)));
    for (number, run) in plan.runs.iter().enumerate() {
        let folder = RunFolder::path_of(root, run);
        let state = format!("{:?}", RunState::of(&folder, run)?);
        let folder = format!("runs/{}", folder.strip_prefix(root).unwrap_or(&folder).display());
        table.push([number.to_string(), folder, state]);
    }
    Ok(table)
}
show(&states(&plan, &root)?)?;
;
{ // cell 8
watch(&Plan { runs: plan.runs[..2].to_vec() }, &root, 2)?;
use toalign::train::observer::StopAfter;
let third = plan.runs[2].clone();
let folder = RunFolder::path_of(&root, &third);
Session::new(third.clone())?.run_in(&root, true, &mut [&mut StopAfter(50)])?;
let mut lines = std::fs::OpenOptions::new().append(true).open(folder.join("metrics.jsonl"))?;
std::io::Write::write_all(&mut lines, b"{\"kind\":\"train\",\"ste")?;
show(&states(&plan, &root)?)?;
;
{ // cell 10
let ended = watch(&plan, &root, 2)?;
show(&states(&plan, &root)?)?;
;
{ // cell 12
let elsewhere = root.join("undisturbed");
Session::new(third.clone())?.run_in(&elsewhere, true, &mut [])?;
let undisturbed = std::fs::read(RunFolder::path_of(&elsewhere, &third).join("last.safetensors"))?;
let resumed = std::fs::read(folder.join("last.safetensors"))?;
println!("{} bytes of weights, momentum and progress; equal: {}", resumed.len(), resumed == undisturbed);
;
{ // cell 14
std::fs::remove_dir_all(&elsewhere)?;
let found = find_runs(&root)?;
show(&accuracy_table(&found.study, Choice::Last))?;
;
{ // cell 16
use toalign::runs::slurm::{Requests, array_script};
let requests = Requests {
    gpus: 1, time: "6:00:00".into(), cpus_per_task: 8, mem: Some("24G".into()), partition: None, array_limit: Some(16),
};
let arguments = ["sweep", "--data", "office-home:office-home", "--tasks", "all"].map(str::to_owned);
let study = std::path::PathBuf::from("/data/study");
let script = array_script("toalign".as_ref(), &arguments, 216, &study, &study.join("runs/slurm"), &requests)?;
for line in script.lines().filter(|line| line.starts_with("#SBATCH") || line.contains("--index")) {
    println!("{line}");
}
;
{ // cell 18
use toalign::bench::{Bench, OFFICE_HOME_STEPS};
let published = RunConfig { batch_size: 4, test_batch_size: 8, method: "hda".parse()?, toalign: true, ..RunConfig::office_home() };
let measured = Bench { config: published, classes: 65, read_data: false, steps: 1, profile: false }.run()?;
let here = measured.office_home_task_seconds()? / 3600.0;
let (entry, _) = toalign::method::table::find("dannp+toalign").unwrap();
let theirs = OFFICE_HOME_STEPS as f64 * entry.published_cost[1].unwrap().milliseconds / 3_600_000.0;
let mut table = Table::new([("", Align::Left), ("this machine", Align::Right), ("authors' GPU, without tests", Align::Right)]);
for (what, runs) in [("one run", 1.0), ("HDA and HDA+ToAlign, 12 tasks, 3 seeds", 72.0), ("all six methods", 216.0)] {
    let words = [here, theirs].map(|hours| if hours * runs < 48.0 { format!("{:.1} hours", hours * runs) }
        else { format!("{:.0} days", hours * runs / 24.0) });
    table.push([what.to_owned()].into_iter().chain(words));
}
show(&table)?;
;
{ // cell 21
assert_eq!(Plan::new(&base, &["all"], &["dannp", "hda"], &[1, 2, 3])?.runs.len(), 72);
assert_eq!(ended.iter().filter(|how| matches!(how, Ended::WasFinished)).count(), 2, "finished runs were left alone");
assert_eq!(ended.iter().filter(|how| matches!(how, Ended::Finished(_))).count(), 6);
assert!(resumed == undisturbed, "the accident left no trace");
assert_eq!(found.study.runs.len(), 8);
assert!(script.contains("--array=0-215%16"), "one index per run");
let other = Plan { runs: vec![RunConfig { learning_rate: 1.0, ..(*plan.runs[0]).clone() }.check()?] };
let refused = match &watch(&other, &root, 1)?[..] { [Ended::Failed(error)] => error.to_string(), _ => String::new() };
assert!(refused.contains("learning_rate"), "other settings in the same folder are refused: {refused}");
std::fs::remove_dir_all(&root)?;
println!("all is as it should be");
;
}}}}}}}}}}
Ok(())
}
