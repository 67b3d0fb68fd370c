//! The cells of the lesson `00_start_here`; written by `TOALIGN_WRITE_CELLS=1 cargo test --test notebooks`.

#[rustfmt::skip]
fn lesson() -> Result<(), Box<dyn std::error::Error>> {
{ // cell 2
use toalign::prelude::*;
;
{ // cell 4
let mut wall = Vec::new();
for style in Style::ALL {
    let domain = mini_home::domain(style.name(), Split::Train, &Default::default())?;
    wall.extend(one_of_each_class(&domain, 12, 3)?.into_iter().map(|(_, picture)| picture));
}
let names = Style::ALL.map(|style| style.name().replace('_', " "));
let classes = mini_home::class_names();
show(&PictureGrid::new("Mini Office-Home: four domains, twelve classes", wall)
    .columns(12).size(58).rows(names)
    .heads(classes.iter().map(|class| class.replace("Alarm_Clock", "Clock"))))?;
;
{ // cell 6
let real = mini_home::domain("Real_World", Split::Train, &Default::default())?;
let mut pairs = Vec::new();
for index in [12, 92, 172, 252, 332, 412] {
    pairs.push(real.pictures.decode(index)?);
    let mask = real.pictures.mask(index)?.ok_or("Mini Office-Home has masks")?;
    pairs.push(toalign::image::DynamicImage::from(mask).to_rgb8());
}
show(&PictureGrid::new("Real World: a picture and its object's mask", pairs).columns(12).size(58))?;
;
{ // cell 8
let task = mini_home::task("Cl-Rw", &Default::default())?;
let all_tasks = mini_home::task_names();
println!("{} → {}", task.source.name, task.target.name);
println!("{} + {} pictures", task.source.pictures.len(), task.target.pictures.len());
println!("all tasks: {}", all_tasks.join(" "));
;
{ // cell 10
let mut training = Training::new(RunConfig {
    task: "Cl-Rw".into(), method: "source-only".parse()?, steps: 60, test_every: 20, ..RunConfig::mini()
})?;
let summary = training.run()?;
;
{ // cell 13
assert_eq!((task.classes.len(), task.source.pictures.len()), (12, 480), "twelve classes, forty training pictures of each");
let both_ways = all_tasks.iter().all(|name| all_tasks.contains(&name.split('-').rev().collect::<Vec<_>>().join("-")));
assert!(all_tasks.len() == 12 && both_ways, "every pair of domains is a task, both ways round: {all_tasks:?}");
assert!(summary.finished && summary.step == 60, "the run took all of its steps: {summary:?}");
let losses: Vec<f64> = training.losses("classification").into_iter().map(|(_, loss)| loss).collect();
assert!(losses.last() < losses.first(), "the network learns: {losses:?}");
println!("all is working");
;
{ // cell 15
let mut wall = Vec::new();
for style in Style::ALL {
    let domain = mini_home::domain(style.name(), Split::Train, &Default::default())?;
    let mugs = (0..domain.pictures.len()).filter(|&index| domain.pictures.label(index) == 9);
    for index in mugs.take(5) { wall.push(domain.pictures.decode(index)?); }
}
let names = Style::ALL.map(|style| style.name().replace('_', " "));
show(&PictureGrid::new("Twenty mugs", wall).columns(5).rows(names))?;
;
}}}}}}}
Ok(())
}
