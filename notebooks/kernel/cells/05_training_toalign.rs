//! The cells of the lesson `05_training_toalign`; written by `TOALIGN_WRITE_CELLS=1 cargo test --test notebooks`.

#[rustfmt::skip]
fn lesson() -> Result<(), Box<dyn std::error::Error>> {
{ // cell 2
use toalign::prelude::*;
use toalign::report::statistics::{Difference, deviation, mean};
let study = read_study("records/mini")?;
let methods = ["source-only", "target-bn-only", "dannp", "dannp+toalign", "hda", "hda+toalign"];
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
    for method in methods {
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
let numbers = ["mean difference", "95 % interval", "wins"].map(|name| (name, Align::Right));
let mut table = Table::new([("task", Align::Left), ("pair", Align::Left)].into_iter().chain(numbers));
for (task, name) in tasks {
    for method in ["dannp", "hda"] {
        let plain = study.last_accuracies(task, method);
        let with = study.last_accuracies(task, &format!("{method}+toalign"));
        let paired: Vec<f64> = with.iter().zip(&plain).map(|(with, without)| with - without).collect();
        let difference = Difference::of(&paired).unwrap();
        let (low, high) = difference.interval.unwrap();
        let wins = paired.iter().filter(|difference| **difference > 0.0).count();
        table.push([name.to_owned(), format!("{method}+toalign − {method}"), format!("{:+.1}", difference.mean),
            format!("{low:+.1} … {high:+.1}"), format!("{wins} of {}", paired.len())]);
    }
}
show(&table)?;
;
{ // cell 9
let mut literature = Bars::new("Published: Office-Home, mean of 12 tasks", "target accuracy (%), best test (oracle)");
for method in ["dannp", "dannp+toalign", "hda", "hda+toalign"] {
    for row in published()?.iter().filter(|row| row.source == "literature" && row.our_name().as_deref() == Some(method)) {
        literature = literature.bar(method, row.mean.unwrap());
    }
}
show(&literature)?;
;
{ // cell 11
fn seconds(study: &Study, method: &str) -> Vec<f64> {
    study.of("Cl-Rw", method).filter_map(|run| Some(run.finish()?.seconds_per_step)).collect()
}
let mut cost = Bars::new("Cost of a step, relative to DANNP", "time of a step / that of DANNP, same seed");
for method in methods {
    let (own, reference) = (seconds(&study, method), seconds(&study, "dannp"));
    let ratios: Vec<f64> = own.iter().zip(&reference).map(|(own, reference)| own / reference).collect();
    cost = cost.bar_with_error(method, mean(&ratios).unwrap(), deviation(&ratios).unwrap());
}
cost.decimals = 2;
show(&cost)?;
;
{ // cell 14
let config = RunConfig {
    task: "Cl-Rw".into(), method: "hda".parse()?, steps: 300, test_every: 100, ..RunConfig::mini()
};
let mut hda = Training::new(config.clone())?;
hda.run()?;
;
{ // cell 15
let mut with_toalign = Training::new(RunConfig { toalign: true, ..config.clone() })?;
with_toalign.run()?;
;
{ // cell 17
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
{ // cell 18
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
let (of_hda, of_toalign) = (inside(&hda, &test)?, inside(&with_toalign, &test)?);
show(&Bars::new("Heat inside the object, 180 target pictures", "share of the heat (%)")
    .bar("chance", of_hda.1).bar("hda", of_hda.0).bar("hda+toalign", of_toalign.0))?;
;
{ // cell 21
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
{ // cell 23
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
{ // cell 24
let title = "DANNP+ToAlign under a temperature, one seed";
let mut curves = Chart::new(title, "training steps", "target accuracy (%)");
for temperature in [1.0, 8.0] {
    let softer = RunConfig { method: "dannp".parse()?, toalign: true, steps: 200, test_every: 50, ..config.clone() };
    let mut training = Training::new(softer)?.with_method(Box::new(Softer { temperature }));
    training.steps(200)?;
    curves = curves.curve(&format!("temperature {temperature}"), training.accuracies("target"));
}
show(&curves)?;
;
{ // cell 27
for (task, _) in tasks {
    for method in methods { assert_eq!(study.last_accuracies(task, method).len(), 5, "{task} {method}"); }
    let mean = |method: &str| mean(&study.last_accuracies(task, method)).unwrap();
    let (low, high) = (mean("source-only"), mean("dannp"));
    assert!(high > low, "alignment helps on {task}: {low} and {high}");
}
assert!(of_hda.0 > of_hda.1 && of_toalign.0 > of_toalign.1, "both look at the object more than chance");
fn share(values: &[f32]) -> f32 { values.iter().sum::<f32>() / values.len() as f32 }
assert!(share(&weighted) > 0.99 && share(&weighted) >= share(&plain), "f_p saturates the softmax");
println!("all is as it should be");
;
{ // cell 29
let mut even = Training::new(RunConfig { toalign: true, toalign_statistics_updates: 1, ..config.clone() })?;
even.run()?;
show(&Chart::new("HDA, one seed", "training steps", "target accuracy (%)")
    .curve("hda", hda.accuracies("target")).curve("hda+toalign", with_toalign.accuracies("target"))
    .curve("source counted once", even.accuracies("target")))?;
;
}}}}}}}}}}}}}}}
Ok(())
}
