//! The cells of the lesson `05_training_toalign`; written by `TOALIGN_WRITE_CELLS=1 cargo test --test notebooks`.

#[rustfmt::skip]
fn lesson() -> Result<(), Box<dyn std::error::Error>> {
{ // cell 2
use toalign::prelude::*;
use toalign::report::statistics::{Difference, deviation, mean, student_quantile};
let study = read_study("records/mini")?;
let methods = ["source-only", "target-bn-only", "dannp", "dannp+toalign", "dannp+toalign+once", "hda", "hda+toalign", "hda+toalign+once"];
let tasks = [("Cl-Rw", "Clipart → Real World"), ("Pr-Ar", "Product → Art")];
;
{ // cell 3
for (task, name) in tasks {
    let title = format!("{name}, after the last step");
    let mut bars = Bars::new(&title, "target accuracy (%), mean ± deviation over 5 seeds");
    for method in methods {
        let accuracies = study.last_accuracies(task, method);
        let (mean, deviation) = (mean(&accuracies).unwrap(), deviation(&accuracies).unwrap());
        bars = bars.bar_with_error(method, mean, deviation);
    }
    show(&bars)?;
}
;
{ // cell 5
let mut charts = Row::new("Learning curves");
for (task, name) in tasks {
    let title = format!("{name}: mean of 5 seeds");
    let mut chart = Chart::new(&title, "training steps", "target accuracy (%)").narrow();
    for method in methods.into_iter().filter(|method| !method.ends_with("once")) {
        let mut at = std::collections::BTreeMap::<usize, Vec<f64>>::new();
        for record in study.of(task, method).flat_map(|run| &run.records) {
            if let Some((step, [_, on_target])) = record.accuracies() {
                at.entry(step).or_default().push(on_target);
            }
        }
        chart = chart.curve(method, at.iter().map(|(step, all)| (*step as f64, mean(all).unwrap())));
    }
    charts = charts.and(&chart)?;
}
show(&charts)?;
;
{ // cell 7
fn differences(study: &Study, task: &str, [with, without]: [&str; 2]) -> Vec<f64> {
    let without = study.last_accuracies(task, without);
    study.last_accuracies(task, with).iter().zip(&without).map(|(with, without)| with - without).collect()
}
fn could_be_found(differences: &[f64]) -> f64 {
    let n = differences.len();
    let error = deviation(differences).unwrap_or(f64::NAN) / (n as f64).sqrt();
    (student_quantile(0.95, n - 1) + student_quantile(0.6, n - 1)) * error // within ±t(0.6) is below t(0.8)
}
;
{ // cell 8
let mut table = Table::new([("task", Align::Left), ("pair", Align::Left)].into_iter()
    .chain(["mean difference", "95 % interval", "wins", "could be found"].map(|head| (head, Align::Right))));
let pairs = [("dannp", "target-bn-only"), ("dannp+toalign", "dannp"), ("dannp+toalign+once", "dannp"),
    ("hda", "target-bn-only"), ("hda+toalign", "hda"), ("hda+toalign+once", "hda")];
for (task, name) in tasks {
    for (with, without) in pairs {
        let paired = differences(&study, task, [with, without]);
        let difference = Difference::of(&paired).unwrap();
        let (low, high) = difference.interval.unwrap();
        let wins = paired.iter().filter(|difference| **difference > 0.0).count();
        table.push([name.into(), format!("{with} − {without}"), format!("{:+.1}", difference.mean),
            format!("{low:+.1} … {high:+.1}"), format!("{wins} of {}", paired.len()), format!("{:.1}", could_be_found(&paired))]);
    }
}
show(&table)?;
;
{ // cell 10
let mut literature = Bars::new("Published: Office-Home, mean of 12 tasks", "target accuracy (%), best test (oracle)");
for method in ["dannp", "dannp+toalign", "hda", "hda+toalign"] {
    for row in published()?.iter().filter(|row| row.source == "literature" && row.our_name().as_deref() == Some(method)) {
        literature = literature.bar(method, row.mean.unwrap());
    }
}
show(&literature)?;
;
{ // cell 12
use toalign::bench::Bench;
let six = ["source-only", "target-bn-only", "dannp", "dannp+toalign", "hda", "hda+toalign"];
let mut ratios = vec![Vec::new(); 6]; // of each method, one a round
for _ in 0..3 {
    let seconds = |method: &&str| -> toalign::Result<f64> {
        let config = RunConfig::mini().with_method_name(method)?;
        Ok(Bench { config, classes: 12, read_data: false, steps: 20, profile: false }.run()?.seconds_per_step)
    };
    let round: Vec<f64> = six.iter().map(seconds).collect::<toalign::Result<_>>()?;
    for (ratios, own) in ratios.iter_mut().zip(&round) { ratios.push(own / round[2]); }
}
let mut cost = Bars::new("Cost of a step, relative to DANNP", "time of a step / that of DANNP in the same round");
for (method, ratios) in six.iter().zip(&ratios) {
    cost = cost.bar_with_error(method, mean(ratios).unwrap(), deviation(ratios).unwrap());
}
cost.decimals = 2;
show(&cost)?;
;
{ // cell 15
fn config(seed: u64, toalign: bool) -> toalign::Result<RunConfig> {
    Ok(RunConfig { task: "Cl-Rw".into(), method: "hda".parse()?, toalign, seed, steps: 200, test_every: 50, ..RunConfig::mini() })
}
let mut hda = Training::new(config(1, false)?)?;
hda.run()?;
;
{ // cell 16
let mut with_toalign = Training::new(config(1, true)?)?;
with_toalign.run()?;
;
{ // cell 18
let test = mini_home::domain("Real_World", Split::Test, &Default::default())?;
let classes = mini_home::class_names();
let (mut views, mut words, mut right) = (Vec::new(), Vec::new(), Vec::new());
for training in [&hda, &with_toalign] {
    for index in (3..180).step_by(23) {
        let look = training.look(&test.pictures.decode(index)?)?;
        let mask = test.pictures.mask(index)?.ok_or("a mask")?;
        let inside = energy_in_mask(&look.map, look.map_height, look.map_width, &mask)?.unwrap_or(f64::NAN);
        words.push(format!("{}\n{:.0} % inside", classes[look.class as usize], 100.0 * inside));
        right.push(look.class == test.pictures.label(index));
        views.push(look.overlay(4)?.unwrap_or(look.picture));
    }
}
show(&PictureGrid::new("The same pictures through two networks", views).columns(8).size(92)
    .rows(["HDA", "+ToAlign"]).captions(words).marked(right))?;
;
{ // cell 20
fn inside(training: &Training, domain: &Domain) -> toalign::Result<(f64, f64)> {
    let (mut sum, mut chance, mut count) = (0.0, 0.0, 0.0);
    for index in 0..domain.pictures.len() {
        let Some(mask) = domain.pictures.mask(index)? else { continue };
        let look = training.look(&domain.pictures.decode(index)?)?;
        let Some(energy) = energy_in_mask(&look.map, look.map_height, look.map_width, &mask)? else { continue };
        (sum, chance, count) = (sum + energy, chance + chance_level(&mask)?, count + 1.0);
    }
    Ok((100.0 * sum / count, 100.0 * chance / count))
}
;
{ // cell 21
let (mut of_hda, mut of_toalign, mut chance) = (vec![], vec![], 0.0);
for seed in 1..=3 {
    for (toalign, shares) in [(false, &mut of_hda), (true, &mut of_toalign)] {
        let mut training = Training::new(config(seed, toalign)?)?;
        training.steps(200)?;
        let (share, by_chance) = inside(&training, &test)?;
        (shares.push(share), chance = by_chance);
    }
}
let looks: Vec<f64> = of_toalign.iter().zip(&of_hda).map(|(with, without)| with - without).collect();
let (low, high) = Difference::of(&looks).unwrap().interval.unwrap();
show(&Bars::new("Heat inside the object, 180 target pictures, 3 seeds", "share of the heat (%)").bar("chance", chance)
    .bar_with_error("hda", mean(&of_hda).unwrap(), deviation(&of_hda).unwrap())
    .bar_with_error("hda+toalign", mean(&of_toalign).unwrap(), deviation(&of_toalign).unwrap()))?;
println!("with ToAlign − without: {:+.1} points ({low:+.1} … {high:+.1})", mean(&looks).unwrap());
;
{ // cell 24
let source = hda.task().source.clone();
let features = hda.features(&source, 480)?;
let labels = hda.labels(&source, 480)?;
fn certainty(head: &Head, x: &Tensor, labels: &Tensor) -> toalign::Result<Vec<f32>> {
    let p = softmax(&head.forward(x)?.logits)?;
    Ok(p.gather(&labels.unsqueeze(1)?, 1)?.squeeze(1)?.to_vec1()?)
}
let head = hda.model().head.clone();
let plain = certainty(&head, &features, &labels)?;
let weighted = certainty(&head, &task_relevant(&features, &labels, &head)?, &labels)?;
show(&Histogram::new("What the discriminator sees of the source", "probability of the true class")
    .sample("from f", plain.clone()).sample("from f_p", weighted.clone()))?;
;
{ // cell 26
struct Softer { temperature: f64 }
impl Method for Softer {
    fn losses(&self, model: &Model, input: &StepInput) -> toalign::Result<Losses> {
        let f = model.backbone.forward_domains(&[(input.source_images, 1), (input.target()?, 1)])?;
        let classification = cross_entropy(&model.head.forward(&f[0])?.logits, input.source_labels)?;
        let f_p = task_relevant(&f[0], input.source_labels, &model.head)?;
        let p_s = softmax(&(model.head.forward(&f_p)?.logits / self.temperature)?)?;
        let p_t = softmax(&model.head.forward(&f[1])?.logits)?;
        let weight = |p: &Tensor| entropy_weights(p, input.reversal_coefficient);
        let weights = [&weight(&p_s)?, &weight(&p_t)?];
        let alignment = adversarial(model.discriminator()?, [&p_s, &p_t], weights, input)?;
        let total = (&classification + &alignment)?;
        Ok(Losses::new(total, vec![("classification", classification), ("alignment", alignment)]))
    }
}
;
{ // cell 27
let title = "DANNP+ToAlign under a temperature, one seed";
let mut curves = Chart::new(title, "training steps", "target accuracy (%)");
for temperature in [1.0, 8.0] {
    let softer = RunConfig { method: "dannp".parse()?, ..config(1, true)? };
    let mut training = Training::new(softer)?.with_method(Box::new(Softer { temperature }));
    training.steps(200)?;
    curves = curves.curve(&format!("temperature {temperature}"), training.accuracies("target"));
}
show(&curves)?;
;
{ // cell 30
for (task, _) in tasks {
    for method in methods { assert_eq!(study.last_accuracies(task, method).len(), 5, "five seeds of every method, {task} {method}"); }
}
let gained = Difference::of(&differences(&study, "Cl-Rw", ["dannp", "target-bn-only"])).unwrap();
assert!(gained.interval.unwrap().0 > 0.0, "alignment gains more than batch norm alone");
let counted = Difference::of(&differences(&study, "Cl-Rw", ["dannp+toalign+once", "dannp+toalign"])).unwrap();
assert!(counted.interval.unwrap().0 > 0.0, "counting the source twice costs accuracy");
assert!(of_hda.iter().chain(&of_toalign).all(|share| *share > chance), "both look at the object more than chance");
fn share(values: &[f32]) -> f32 { values.iter().sum::<f32>() / values.len() as f32 }
assert!(share(&weighted) > 0.99 && share(&weighted) > share(&plain), "f_p saturates the softmax");
println!("all is as it should be");
;
{ // cell 32
let mut both = Vec::new();
for toalign_statistics_updates in [2, 1] {
    let mut training = Training::new(RunConfig { toalign_statistics_updates, ..config(1, true)? })?;
    training.steps(100)?;
    both.push((training.model().head.rows()?, training.accuracies("target").last().map(|(_, accuracy)| *accuracy)));
}
let difference = (&both[0].0 - &both[1].0)?.abs()?.max_all()?.to_scalar::<f32>()?;
println!("largest difference between the heads: {difference:e}; accuracies: {:?} and {:?}", both[0].1, both[1].1);
;
}}}}}}}}}}}}}}}}}
Ok(())
}
