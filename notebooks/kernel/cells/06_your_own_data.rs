//! The cells of the lesson `06_your_own_data`; written by `TOALIGN_WRITE_CELLS=1 cargo test --test notebooks`.

#[rustfmt::skip]
fn lesson() -> Result<(), Box<dyn std::error::Error>> {
{ // cell 2
use toalign::prelude::*;
use toalign::report::statistics::Difference;
let scratch = std::env::temp_dir().join(format!("toalign-lesson-06-{}", std::process::id()));
let root = scratch.join("pictures");
;
{ // cell 3
use toalign::image::imageops;
let chosen = ["Bike", "Chair", "Mug", "Scissors", "Sneakers", "Hammer"];
for (folder, domain) in [("Sketch", "Clipart"), ("Photo", "Real_World")] {
    let domain = mini_home::domain(domain, Split::Train, &Default::default())?;
    for index in 0..480 {
        let class = &mini_home::class_names()[domain.pictures.label(index) as usize];
        if !chosen.contains(&class.as_str()) { continue; }
        let inside = root.join(folder).join(class);
        std::fs::create_dir_all(&inside)?;
        let picture = domain.pictures.decode(index)?;
        imageops::resize(&picture, 120, 120, imageops::FilterType::Triangle)
            .save(inside.join(format!("{index:05}.png")))?;
    }
}
;
{ // cell 5
let config = RunConfig {
    data: DataSource::Folder(root.clone()), task: "Sketch-Photo".into(), method: "dannp".parse()?,
    seed: 1, steps: 300, test_every: 75, ..RunConfig::mini()
};
let mut adapted = Training::new(config.clone())?;
let task = adapted.task().clone();
let mut wall = Vec::new();
for domain in [&task.source, &task.target] {
    wall.extend(one_of_each_class(domain, task.classes.len(), 5)?.into_iter().map(|(_, picture)| picture));
}
show(&PictureGrid::new("One of each class", wall).columns(task.classes.len()).size(90)
    .rows(["Sketch (source)", "Photo (target)"]).heads(task.classes.clone()))?;
;
{ // cell 7
let mut plain = Training::new(RunConfig { method: "source-only".parse()?, ..config.clone() })?;
plain.run()?;
let mut control = Training::new(RunConfig { method: "target-bn-only".parse()?, ..config.clone() })?;
control.run()?;
adapted.run()?;
;
{ // cell 9
fn last(training: &Training) -> f64 { training.accuracies("target").last().map_or(f64::NAN, |point| point.1) }
let methods = ["source-only", "target-bn-only", "dannp"];
let mut by_seed = vec![[&plain, &control, &adapted].map(last)];
for seed in [2, 3] {
    let mut row = [0.0; 3];
    for (place, method) in methods.iter().enumerate() {
        let mut training = Training::new(RunConfig { method: method.parse()?, seed, test_every: 300, ..config.clone() })?;
        training.steps(300)?;
        row[place] = last(&training);
    }
    by_seed.push(row);
}
;
{ // cell 10
let mut bars = GroupedBars::new("Sketch → Photo", "target accuracy (%), last step", ["seed 1", "seed 2", "seed 3"]);
for (place, method) in methods.iter().enumerate() {
    bars = bars.series(method, by_seed.iter().map(|row| (row[place], None)));
}
show(&bars)?;
let heads = [("points", Align::Right), ("95 % over seeds", Align::Right)];
let mut table = Table::new([("paired difference", Align::Left)].into_iter().chain(heads));
for (name, less) in [("DANNP − source only", 0), ("DANNP − target BN only", 1)] {
    let differences: Vec<f64> = by_seed.iter().map(|row| row[2] - row[less]).collect();
    let found = Difference::of(&differences).ok_or("no seeds")?;
    let (low, high) = found.interval.ok_or("one seed")?;
    table.push([name.to_owned(), format!("{:+.1}", found.mean), format!("{low:+.1} to {high:+.1}")]);
}
show(&table)?;
;
{ // cell 13
let (mut views, mut words, mut right) = (Vec::new(), Vec::new(), Vec::new());
for index in (7..task.target.pictures.len()).step_by(31) {
    let look = adapted.look(&task.target.pictures.decode(index)?)?;
    words.push(format!("{}\n{:.0} %", task.classes[look.class as usize], 100.0 * look.probability));
    right.push(look.class == task.target.pictures.label(index));
    views.push(look.overlay(3)?.unwrap_or(look.picture));
}
show(&PictureGrid::new("Photos: answer and evidence", views).columns(8).size(92).captions(words).marked(right))?;
;
{ // cell 15
fn message(config: RunConfig) -> String {
    let tried = Training::new(config).and_then(|training| training.test(&training.task().source));
    tried.err().map_or("no error".into(), |error| error.to_string())
}
let misspelt = message(RunConfig { task: "Sketch-Foto".into(), ..config.clone() });
println!("{misspelt}");
;
{ // cell 17
std::fs::write(root.join("Sketch/Mug/00000.png"), b"<html>404</html>")?;
let broken = message(config.clone());
println!("{broken}\n");
let skipping = Training::new(RunConfig { skip_bad_images: true, ..config.clone() })?;
println!("left out on request: {}", skipping.task().remarks.join("\n"));
std::fs::remove_file(root.join("Sketch/Mug/00000.png"))?;
;
{ // cell 19
std::fs::create_dir_all(root.join("Photo/Kettle"))?;
std::fs::copy(root.join("Photo/Mug").join("00360.png"), root.join("Photo/Kettle/1.png"))?;
println!("{}\n", Training::new(config.clone())?.task().remarks.join("\n"));
std::fs::remove_dir_all(root.join("Photo/Kettle"))?;
let mut wild = Training::new(RunConfig { learning_rate: 1e6, ..config.clone() })?;
println!("{}", wild.steps(50).err().map_or("no error".into(), |error| error.to_string()));
;
{ // cell 22
assert_eq!((task.classes.len(), task.source.pictures.len()), (6, 240), "the task is what the folders hold");
for row in &by_seed {
    assert!(row[2] > row[0], "DANNP ends above source only, with every seed: {by_seed:?}");
}
let over_control = by_seed.iter().map(|row| row[2] - row[1]).sum::<f64>() / by_seed.len() as f64;
assert!(over_control > 1.0, "DANNP ends above target BN only, in the mean over the seeds: {over_control}");
let late: Vec<f64> = adapted.losses("alignment").into_iter().filter(|(step, _)| *step > 200.0).map(|(_, loss)| loss).collect();
let late = late.iter().sum::<f64>() / late.len() as f64;
assert!(late > 0.67, "the discriminator does not win: {late}");
assert!(misspelt.contains("did you mean Photo?"), "a misspelt domain is guessed");
assert!(broken.contains("00000.png: expected a picture"), "a broken file is named");
assert!(wild.steps(50).is_err(), "a run that exploded does not go on");
println!("all is as it should be");
;
{ // cell 24
let mut swapped = Bars::new("Photo → Sketch, seed 1", "target accuracy (%), last step");
for method in ["source-only", "dannp"] {
    let config = RunConfig { task: "Photo-Sketch".into(), method: method.parse()?, test_every: 300, ..config.clone() };
    let mut training = Training::new(config)?;
    training.steps(300)?;
    swapped = swapped.bar(method, last(&training));
}
show(&swapped)?;
std::fs::remove_dir_all(&scratch)?;
;
}}}}}}}}}}}}
Ok(())
}
