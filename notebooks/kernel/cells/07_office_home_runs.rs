//! The cells of the lesson `07_office_home_runs`; written by `TOALIGN_WRITE_CELLS=1 cargo test --test notebooks`.

#[rustfmt::skip]
fn lesson() -> Result<(), Box<dyn std::error::Error>> {
{ // cell 2
use toalign::prelude::*;
use toalign::data::office_home;
use toalign::model::{HeadKind, ModelSpec, resnet::BackboneKind};
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
fn network(backbone: BackboneKind) -> toalign::Result<Model> {
    let (head, discriminator, dtype) = (HeadKind::Linear, None, DType::F32);
    Model::new(&ModelSpec { backbone, classes: 65, head, discriminator, sources: 1, hidden: 8, dropout: 0.0, dtype }, 1)
}
/// Convolutions on the main way through the network, by the names of their weights: those of `downsample` go around.
fn deep(model: &Model) -> usize {
    let names = model.backbone.parameters().into_iter().map(|parameter| parameter.name);
    names.filter(|name| name.ends_with(".weight") && name.contains("conv")).count()
}
let resnet50 = network(BackboneKind::ResNet50)?;
println!("{} convolutions and the classifier: {} layers", deep(&resnet50), deep(&resnet50) + 1);
;
{ // cell 7
let picture = Tensor::zeros((1, 224, 224, 3), DType::F32, &Device::Cpu)?;
let parameters = resnet50.backbone.parameters();
let mut stages = vec![("picture".to_owned(), 224, 3)];
for (number, layer) in [Layer::Layer1, Layer::Layer2, Layer::Layer3, Layer::Layer4].into_iter().enumerate() {
    let map = resnet50.backbone.feature_map(&picture, layer, Mode::Evaluation)?;    // [1, height, width, channels]
    let first = format!("layer{}.", number + 1);
    let blocks = parameters.iter().filter(|one| one.name.starts_with(&first) && one.name.ends_with(".conv1.weight")).count();
    stages.push((format!("layer{}: {blocks} blocks", number + 1), map.dim(1)?, map.dim(3)?));
}
stages.push(("f".to_owned(), 1, resnet50.backbone.kind().channels()));
;
{ // cell 8
use toalign::image::{Rgb, imageops};
let boxes: Vec<RgbImage> = stages.iter().map(|(_, side, channels)| {
    let mut sheet = RgbImage::from_pixel(114, 114, Rgb([255; 3]));
    let (width, height) = ((channels * 112 / 2048).max(1) as u32, (side / 2).max(1) as u32);
    let drawn = RgbImage::from_pixel(width, height, Rgb([0x2E, 0x6D, 0xB5]));
    imageops::replace(&mut sheet, &drawn, i64::from(57 - width / 2), i64::from(57 - height / 2));
    sheet
}).collect();
show(&PictureGrid::new("ResNet-50: height = side of the map, width = channels", boxes).columns(6).size(112)
    .captions(stages.iter().map(|(name, side, channels)| format!("{name}\n{side}×{side}×{channels}"))))?;
;
{ // cell 10
let base = RunConfig {
    data: data.clone(), steps: 100, test_every: 50, checkpoint_every: 25, log_every: 25, ..RunConfig::mini()
};
let plan = Plan::new(&base, &["Cl-Rw", "Pr-Ar"], &["hda", "hda+toalign"], &[1, 2])?;
let whole = Plan::new(&base, &["all"], &["dannp", "hda"], &[1, 2, 3])?;
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
{ // cell 12
watch(&Plan { runs: plan.runs[..2].to_vec() }, &root, 2)?;
use toalign::train::observer::StopAfter;
let third = plan.runs[2].clone();
let folder = RunFolder::path_of(&root, &third);
Session::new(third.clone())?.run_in(&root, true, &mut [&mut StopAfter(50)])?;
let mut lines = std::fs::OpenOptions::new().append(true).open(folder.join("metrics.jsonl"))?;
std::io::Write::write_all(&mut lines, b"{\"kind\":\"train\",\"ste")?;
show(&states(&plan, &root)?)?;
;
{ // cell 14
let ended = watch(&plan, &root, 2)?;
show(&states(&plan, &root)?)?;
;
{ // cell 16
let elsewhere = root.join("undisturbed");
Session::new(third.clone())?.run_in(&elsewhere, true, &mut [])?;
let undisturbed = std::fs::read(RunFolder::path_of(&elsewhere, &third).join("last.safetensors"))?;
let resumed = std::fs::read(folder.join("last.safetensors"))?;
println!("{} bytes of weights, momentum and progress; equal: {}", resumed.len(), resumed == undisturbed);
;
{ // cell 18
std::fs::remove_dir_all(&elsewhere)?;
let found = find_runs(&root)?;
show(&accuracy_table(&found.study, Choice::Last))?;
;
{ // cell 20
let other = Plan { runs: vec![RunConfig { learning_rate: 1.0, ..(*plan.runs[0]).clone() }.check()?] };
fn refusal(plan: &Plan, root: &std::path::Path) -> toalign::Result<String> {
    Ok(match &watch(plan, root, 1)?[..] { [Ended::Failed(error)] => error.to_string(), _ => String::new() })
}
let refused = refusal(&other, &root)?;
;
{ // cell 22
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
{ // cell 24
use toalign::bench::{Bench, OFFICE_HOME_STEPS};
let published = RunConfig { batch_size: 4, test_batch_size: 8, method: "dannp".parse()?, toalign: true, ..RunConfig::office_home() };
let measured = Bench { config: published, classes: 65, read_data: false, steps: 1, profile: false }.run()?;
let here = measured.office_home_task_seconds()? / 3600.0;
let (entry, _) = toalign::method::table::find("dannp+toalign").unwrap();
let cost = entry.published_cost[1].ok_or("a published cost")?;
let theirs = OFFICE_HOME_STEPS as f64 * cost.milliseconds / 3_600_000.0;
fn words(hours: f64) -> String { if hours < 48.0 { format!("{hours:.1} hours") } else { format!("{:.0} days", hours / 24.0) } }
let mut table = Table::new([("DANNP+ToAlign", Align::Left), ("this machine", Align::Right), ("authors' GPU, without tests", Align::Right)]);
for (what, runs) in [("one run", 1.0), ("12 tasks, 3 seeds", 36.0)] {
    table.push([what.to_owned(), words(here * runs), words(theirs * runs)]);
}
table.push(["216 runs, if all six methods cost as much".to_owned(), words(here * 216.0), "not published".to_owned()]);
show(&table)?;
;
{ // cell 27
assert_eq!(deep(&resnet50) + 1, 50, "ResNet-50 has 50 layers with weights");
assert_eq!(stages[4].1 * stages[4].1 * stages[4].2, 7 * 7 * 2048, "the last map is 7×7×2048");
assert_eq!(whole.runs.len(), 72, "12 tasks, 2 methods, 3 seeds");
assert!(whole.runs[..24].iter().all(|run| run.seed == 1), "the plan goes seed by seed");
assert_eq!(ended.iter().filter(|how| matches!(how, Ended::WasFinished)).count(), 2, "finished runs were left alone");
assert_eq!(ended.iter().filter(|how| matches!(how, Ended::Finished(_))).count(), 6, "the others were run to their end");
assert!(resumed == undisturbed, "the accident left no trace");
assert_eq!(found.study.runs.len(), 8, "every run of the plan is in the table");
assert!(refused.contains("learning_rate"), "other settings in the same folder are refused: {refused}");
assert!(script.contains("--array=0-215%16"), "one index per run");
assert_eq!((entry.key, cost.milliseconds, cost.megabytes), ("dannp", 590.0, 6668.0), "590 ms are those of DANNP+ToAlign");
std::fs::remove_dir_all(&root)?;
println!("all is as it should be");
;
}}}}}}}}}}}}}}
Ok(())
}
