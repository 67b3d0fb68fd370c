//! The cells of the lesson `08_results`; written by `TOALIGN_WRITE_CELLS=1 cargo test --test notebooks`.

#[rustfmt::skip]
fn lesson() -> Result<(), Box<dyn std::error::Error>> {
{ // cell 2
use toalign::prelude::*;
use toalign::report::accuracy::{means_by_seed, on_task, scores};
use toalign::report::statistics::mean;
let found = find_runs("records/mini")?;
// Two tasks have five seeds; every task has three.
let runs = found.study.runs.iter().filter(|run| run.seed <= 3).cloned().collect();
let study = Study { runs };
println!("{} runs on {}, {} tasks, seeds {:?}", study.runs.len(), found.data, study.tasks().len(), study.seeds());
;
{ // cell 4
show(&accuracy_table(&study, Choice::Last))?;
;
{ // cell 6
show(&accuracy_bars(&study, "dannp+toalign", "dannp", Choice::Last))?;
show(&accuracy_bars(&study, "hda+toalign", "hda", Choice::Last))?;
;
{ // cell 8
show(&gains_table(&study, Choice::Last))?;
;
{ // cell 10
show(&gains_by_task(&study, "hda+toalign", "hda", Choice::Last))?;
;
{ // cell 12
let mut sheet = Column::new("Target accuracy while training");
for pair in study.tasks().chunks(2) {
    let mut row = Row::new("");
    for task in pair {
        let chart = learning_curves(&study, task);
        row = row.and(&if *task == "Rw-Pr" { chart } else { chart.without_legend() })?;
    }
    sheet = sheet.and(&row)?;
}
show(&sheet)?;
;
{ // cell 14
let literature = published()?;
show(&published_table(&literature))?;
;
{ // cell 15
let mut notes = Table::new([("where the published numbers disagree, and what they leave out", Align::Left)]);
for note in published_notes()? { notes.push([note]); }
show(&notes)?;
;
{ // cell 16
show(&beside_published(&study, &literature))?;
;
{ // cell 18
show(&cost_table(&study))?;
;
{ // cell 20
show(&choice_table(&study))?;
;
{ // cell 22
fn chosen(study: &Study, choice: Choice) -> Vec<f64> {
    let of = |method: &&str| mean(&means_by_seed(&scores(study, method, choice), &study.tasks())).unwrap_or(f64::NAN);
    ["dannp", "dannp+toalign", "hda", "hda+toalign"].iter().map(of).collect()
}
let names = ["DANNP", "DANNP+ToAlign", "HDA", "HDA+ToAlign"];
let oracle = chosen(&study, Choice::Best);
let title = "What a choice without target labels loses";
let mut rules = GroupedBars::new(title, "points below the oracle, mean of 12 tasks", names);
for choice in [Choice::Last, Choice::Entropy, Choice::Density] {
    let lost = oracle.iter().zip(chosen(&study, choice)).map(|(best, chosen)| (best - chosen, None));
    rules = rules.series(&choice.to_string(), lost);
}
show(&rules)?;
;
{ // cell 25
let matrix = confusion(&study, "hda+toalign").ok_or("no confusion was recorded")?;
show(&confusion_map(&matrix, "HDA+ToAlign, all tasks and seeds (% of each class)"))?;
;
{ // cell 26
let gains = class_gains(&study, "hda+toalign", "hda");
show(&class_gain_bars(&gains, "hda+toalign"))?;
;
{ // cell 28
let mut plane = Scatter::new("Gain against shift", "source only, target accuracy (%): right = small shift", "gain (points)");
for method in ["dannp", "hda"] {
    let with = format!("{method}+toalign");
    let mut points = Vec::new();
    for task in study.tasks() {
        let at = |method: &str| mean(&on_task(&scores(&study, method, Choice::Last), task)).unwrap_or(f64::NAN);
        points.push((at("source-only"), at(&with) - at(method)));
    }
    plane = plane.group(&with, Dot::Full, points);
}
show(&plane)?;
;
{ // cell 30
let config = RunConfig {
    task: "Cl-Rw".into(), method: "hda".parse()?, toalign: true, steps: 200, test_every: 100, ..RunConfig::mini()
};
let mut training = Training::new(config)?;
training.steps(200)?;
;
{ // cell 31
use toalign::explain::overlay::upscale;
use toalign::image::Rgb;
fn hidden(picture: &RgbImage, look: &Look) -> toalign::Result<RgbImage> {
    let heat = upscale(&look.map, look.map_height, look.map_width, 40, 40)?;
    let mut order: Vec<usize> = (0..heat.len()).collect();
    order.sort_by(|a, b| heat[*b].total_cmp(&heat[*a]));
    let mut picture = picture.clone();
    for place in &order[..heat.len() / 10] {
        picture.put_pixel(*place as u32 % 40, *place as u32 / 40, Rgb([124, 116, 104])); // ImageNet's mean
    }
    Ok(picture)
}
;
{ // cell 32
let target = training.task().target.clone();
let (mut own, mut foreign, mut count) = (0.0, 0.0, 0.0);
let mut other = training.look(&target.pictures.decode(479)?)?;
for index in (0..480).step_by(3) {
    let picture = target.pictures.decode(index)?;
    let look = training.look(&picture)?;
    for (sum, heat) in [(&mut own, &look), (&mut foreign, &other)] {
        let after = training.look(&hidden(&picture, heat)?)?;
        if after.class != look.class { *sum += 1.0; }
    }
    (count, other) = (count + 1.0, look);
}
show(&Bars::new("Hiding a tenth of the picture changes the answer", "share of target pictures (%)")
    .bar("its own hottest tenth", 100.0 * own / count).bar("another picture's", 100.0 * foreign / count))?;
;
{ // cell 34
let answers = training.test(&target)?.predictions;
let (mut right, mut wrong) = (Vec::new(), Vec::new());
for answer in &answers {
    if answer.class == answer.label { right.push(answer.probability) } else { wrong.push(answer.probability) }
}
show(&Histogram::new("Confidence on the target", "probability of the predicted class")
    .sample("right", right.clone()).sample("wrong", wrong.clone()))?;
;
{ // cell 36
assert_eq!(study.runs.len(), 12 * 6 * 3);
for run in &study.runs {
    let [last, best, entropy] = [Choice::Last, Choice::Best, Choice::Entropy].map(|choice| choose(run, choice));
    let [last, best, entropy] = [last, best, entropy].map(|test| test.map_or(f64::NAN, |test| test.accuracy));
    assert!(best >= last && best >= entropy, "nothing beats the oracle");
}
let by_hand: f64 = study.runs.iter().filter(|run| run.method == "hda")
    .filter_map(|run| Some(run.finish()?.last_target_accuracy)).sum();
assert!((by_hand / 36.0 - chosen(&study, Choice::Last)[2]).abs() < 1e-9, "the mean over 12 tasks and 3 seeds");
let adapted = gain(&study, "dannp", "source-only", Choice::Last, Unit::Seed).and_then(|gain| gain.interval);
assert!(adapted.is_some_and(|(low, _)| low > 0.0), "adaptation helps");
assert!(own > foreign, "the heat map names evidence");
println!("all is as it should be");
;
}}}}}}}}}}}}}}}}}}}}
Ok(())
}
