//! The cells of the lesson `02_adversarial_training`; written by `TOALIGN_WRITE_CELLS=1 cargo test --test notebooks`.

#[rustfmt::skip]
fn lesson() -> Result<(), Box<dyn std::error::Error>> {
{ // cell 2
use toalign::prelude::*;
use toalign::report::statistics::{Difference, deviation, mean};
;
{ // cell 4
fn reversed(x: &Tensor, lambda: f64) -> toalign::Result<Tensor> {
    Ok(((x.detach() * (1.0 + lambda))? - (x * lambda)?)?)
}
;
{ // cell 6
let x = Var::new(&[0.5f64, -1.0, 2.0], &Device::Cpu)?;
fn cubes(x: &Tensor) -> toalign::Result<Tensor> { Ok(x.powf(3.0)?.sum_all()?) }
let by_hand = cubes(&reversed(&x, 0.7)?)?.backward()?.get(&x).ok_or("no gradient")?.to_vec1::<f64>()?;
let by_library = cubes(&grad_reverse(&x, 0.7)?)?.backward()?.get(&x).ok_or("no gradient")?.to_vec1::<f64>()?;
fn difference(at: f64) -> f64 { ((at + 1e-6).powi(3) - (at - 1e-6).powi(3)) / 2e-6 }
let expected: Vec<f64> = x.to_vec1::<f64>()?.into_iter().map(|at| -0.7 * difference(at)).collect();
let columns = ["x = 0.5", "x = -1", "x = 2"].map(|name| (name, Align::Right));
let mut table = Table::new(std::iter::once(("form", Align::Left)).chain(columns));
for (name, values) in [("numeric × (-λ)", &expected), ("by hand", &by_hand), ("library", &by_library)] {
    table.push(std::iter::once(name.to_owned()).chain(values.iter().map(|value| format!("{value:.6}"))));
}
show(&table)?;
;
{ // cell 8
let progress: Vec<f64> = (0..=100).map(|percent| f64::from(percent) / 100.0).collect();
fn along(progress: &[f64], factor: impl Fn(f64) -> f64) -> Vec<(f64, f64)> { progress.iter().map(|&u| (u, factor(u))).collect() }
let rising = along(&progress, |u| reversal_coefficient(u, 10.0));
let falling = along(&progress, |u| inverse_decay(u, 10.0, 0.75));
let slip = along(&progress, |u| inverse_decay(u, 5e-4, 0.75));
show(&Chart::new("How both change over a run", "progress u", "factor")
    .curve("λ(u) of the reversal", rising.clone()).curve("η(u) / η₀, γ = 10", falling.clone()).curve("η(u) / η₀, γ = 5e-4", slip.clone()))?;
;
{ // cell 10
fn descend(momentum: f64, nesterov: bool) -> Vec<(f64, f64)> {
    let (mut theta, mut v) = ([1.0f64, 1.0], [0.0; 2]);
    (0..80).map(|step| {
        let length = theta[0].hypot(theta[1]);
        for (axis, steep) in [1.0, 30.0].into_iter().enumerate() {
            let d = steep * theta[axis] + 5e-4 * theta[axis];
            v[axis] = momentum * v[axis] + d;
            theta[axis] -= 0.02 * if nesterov { d + momentum * v[axis] } else { v[axis] };
        }
        (f64::from(step), length)
    }).collect()
}
show(&Chart::new("Three ways down the same valley", "step", "distance from the minimum")
    .curve("no momentum", descend(0.0, false)).curve("momentum 0.9", descend(0.9, false)).curve("Nesterov, 0.9", descend(0.9, true)))?;
;
{ // cell 12
fn domain_accuracy(source: &Tensor, target: &Tensor) -> toalign::Result<f64> {
    let mut random = generator(0, "lesson", 0, 0);
    let first = Linear::new(source.dim(1)?, 64, 0.0, DType::F32, &mut random)?;
    let last = Linear::new(64, 1, 0.0, DType::F32, &mut random)?;
    let right = |odd: u32| -> toalign::Result<Tensor> { // of every second picture; positive where D is right
        let rows: Vec<u32> = (odd..source.dim(0)? as u32).step_by(2).collect();
        let rows = Tensor::new(rows, &Device::Cpu)?;
        let d = |domain: &Tensor| last.forward(&first.forward(&domain.index_select(&rows, 0)?)?.relu()?);
        Ok(Tensor::cat(&[d(source)?, d(target)?.neg()?], 0)?)
    };
    for _ in 0..150 {
        let gradients = (right(0)?.neg()?.exp()? + 1.0)?.log()?.mean_all()?.backward()?; // of -log σ(±d)
        for w in [&first.weight, &first.bias, &last.weight, &last.bias] {
            if let Some(slope) = gradients.get(w) { w.set(&(w.as_detached_tensor() - (slope * 0.05)?)?)?; }
        }
    }
    Ok(100.0 * right(1)?.gt(0.0)?.to_dtype(DType::F64)?.mean_all()?.to_scalar::<f64>()?)
}
;
{ // cell 14
struct Dann { weight: f64 }
impl Method for Dann {
    fn losses(&self, model: &Model, input: &StepInput) -> toalign::Result<Losses> {
        let f = model.backbone.forward_domains(&[(input.source_images, 1), (input.target()?, 1)])?; // f_S, f_T
        let classification = cross_entropy(&model.head.forward(&f[0])?.logits, input.source_labels)?;
        let seen = reversed(&Tensor::cat(&f, 0)?, input.reversal_coefficient)?; // here the gradient turns around
        let mut dropout = generator(input.seed, "dropout", input.step as u64, 0);
        let d = model.discriminator()?.forward(&seen, &mut dropout)?; // [source + target, 1]
        let of_source = (d.narrow(0, 0, f[0].dim(0)?)?.neg()?.exp()? + 1.0)?.log()?.mean_all()?;
        let of_target = (d.narrow(0, f[0].dim(0)?, f[1].dim(0)?)?.exp()? + 1.0)?.log()?.mean_all()?;
        let alignment = ((of_source + of_target)? * 0.5)?; // L_D
        let total = (&classification + (&alignment * self.weight)?)?; // one backward pass for both players
        Ok(Losses::new(total, vec![("classification", classification), ("alignment", alignment)]))
    }
}
;
{ // cell 16
fn config(method: Baseline, weight: f64) -> RunConfig {
    let alignment_weight = Some(weight);
    RunConfig { task: "Cl-Rw".into(), method, alignment_weight, steps: 300, test_every: 60, ..RunConfig::mini() }
}
let mut plain = Training::new(config("source-only".parse()?, 1.0))?;
plain.run()?;
;
{ // cell 17
let mut control = Training::new(config("target-bn-only".parse()?, 1.0))?;
control.steps(300)?;
;
{ // cell 19
let mut dann = Training::new(config("dann".parse()?, 1.0))?.with_method(Box::new(Dann { weight: 1.0 }));
dann.run()?;
;
{ // cell 20
let mut gentle = Training::new(config("dann".parse()?, 0.1))?.with_method(Box::new(Dann { weight: 0.1 }));
gentle.steps(300)?;
;
{ // cell 22
fn as_trained(training: &Training, domain: &Domain) -> toalign::Result<Tensor> {
    let mut images = Vec::new();
    for index in (0..480).step_by(2) { images.push(training.image(&domain.pictures.decode(index)?)?); }
    let mode = Mode::Training { statistics_updates: 0 };
    Ok(training.model().backbone.forward(&Tensor::cat(&images, 0)?, mode)?.detach()) // [240, 128]
}
;
{ // cell 23
fn plane_of(title: &str, training: &Training) -> toalign::Result<(Scatter, f64)> {
    let source = as_trained(training, &training.task().source)?;
    let target = as_trained(training, &training.task().target)?;
    let plane = Plane::of(&Tensor::cat(&[&source, &target], 0)?)?;
    let accuracy = domain_accuracy(&source, &target)?;
    let title = format!("{title}: {accuracy:.0} % told apart");
    let scatter = Scatter::new(&title, "first component q₁", "second component q₂").narrow()
        .group("source", Dot::Full, plane.points(&source)?)
        .group("target", Dot::Ring, plane.points(&target)?);
    Ok((scatter, accuracy))
}
;
{ // cell 24
let (without, told_apart_without) = plane_of("Target BN only", &control)?;
let (with, told_apart_with) = plane_of("DANN", &dann)?;
show(&Row::new("Features without an adversary and with").and(&without)?.and(&with)?)?;
;
{ // cell 26
fn by_class(title: &str, training: &Training) -> toalign::Result<(Scatter, f64)> {
    let target = &training.task().target;
    let f = as_trained(training, target)?;
    let labels: Vec<u32> = (0..480).step_by(2).map(|index| target.pictures.label(index)).collect();
    let squares = f.sqr()?.sum_keepdim(1)?;
    let distances = (squares.broadcast_add(&squares.t()?)? - (f.matmul(&f.t()?)? * 2.0)?)?; // [240, 240]
    let nearest = (distances + (Tensor::eye(240, DType::F32, &Device::Cpu)? * 1e9)?)?.argmin(1)?.to_vec1::<u32>()?;
    let same = (0..240).filter(|&row| labels[nearest[row] as usize] == labels[row]).count() as f64 / 2.4;
    let points = Plane::of(&f)?.points(&f)?;
    let mut scatter = Scatter::new(&format!("{title}: {same:.0} % beside their class"), "first component q₁", "second component q₂").narrow();
    for class in [1u32, 3, 7, 9] { // Backpack, Bottle, Glasses, Mug
        scatter = scatter.group(&mini_home::class_names()[class as usize], Dot::Ring, (0..240).filter(|&row| labels[row] == class).map(|row| points[row]));
    }
    Ok((scatter, same))
}
;
{ // cell 27
let (classes_without, beside_without) = by_class("Target BN only", &control)?;
let (classes_with, beside_with) = by_class("DANN", &dann)?;
show(&Row::new("Target features by class").and(&classes_without)?.and(&classes_with)?)?;
;
{ // cell 29
show(&Chart::new("Target accuracy while training", "training steps", "target accuracy (%)")
    .curve("source-only", plain.accuracies("target")).curve("target-bn-only", control.accuracies("target"))
    .curve("dann", dann.accuracies("target"))
    .curve("DANN, weight 0.1", gentle.accuracies("target")))?;
;
{ // cell 31
use toalign::runs::study::StudyRun;
let mut study = Study::default(); // the methods get longer names, such as "dann weight_1"
for (folder, name) in [("mini", "plain"), ("dann/weight_1/mini", "weight_1"), ("dann/weight_0.1/mini", "weight_0.1")] {
    for mut run in read_study(format!("records/{folder}"))?.runs {
        run.method = format!("{} {name}", run.method);
        study.runs.push(run);
    }
}
fn target_accuracy(run: &StudyRun) -> Option<f64> { Some(run.finish()?.last_target_accuracy) }
let mut bars = GroupedBars::new("Five seeds: mean and standard deviation", "target accuracy (%)", ["Clipart → Real World", "Product → Art"]);
for (label, method) in [("source-only", "source-only plain"), ("target-bn-only", "target-bn-only plain"), ("DANN, weight 1", "dann weight_1"), ("DANN, weight 0.1", "dann weight_0.1")] {
    let of_task = |task| study.of(task, method).filter_map(target_accuracy).collect::<Vec<f64>>();
    bars = bars.series(label, ["Cl-Rw", "Pr-Ar"].map(of_task).iter().map(|values| (mean(values).unwrap_or(f64::NAN), deviation(values))));
}
show(&bars)?;
;
{ // cell 32
/// "+1.2 (-0.3 … +2.7)", ours minus theirs seed by seed: for each task, and for the mean of both.
fn row(study: &Study, name: &str, [ours, theirs]: [&str; 2], value: fn(&StudyRun) -> Option<f64>) -> Vec<String> {
    let of = |method: &str, task: &str, seed: u64| value(study.of(task, method).find(|run| run.seed == seed)?);
    let gain = |task: &str, seed: u64| Some(of(ours, task, seed)? - of(theirs, task, seed)?);
    let seeds = study.seeds();
    let both = |seed: u64| Some((gain("Cl-Rw", seed)? + gain("Pr-Ar", seed)?) / 2.0);
    let text = |gains: Vec<f64>| Difference::of(&gains).and_then(|found| found.interval.map(|(low, high)| format!("{:+.1} ({low:+.1} … {high:+.1})", found.mean)));
    let [first, second] = ["Cl-Rw", "Pr-Ar"].map(|task| text(seeds.iter().filter_map(|&seed| gain(task, seed)).collect()));
    let third = text(seeds.iter().filter_map(|&seed| both(seed)).collect());
    std::iter::once(name.to_owned()).chain([first, second, third].map(Option::unwrap_or_default)).collect()
}
fn headed() -> Table {
    Table::new([("difference in points, with 95 % interval", Align::Left), ("Cl-Rw", Align::Right), ("Pr-Ar", Align::Right), ("mean of both", Align::Right)])
}
;
{ // cell 33
fn source_accuracy(run: &StudyRun) -> Option<f64> { Some(run.last_test()?.0) }
let (without, bn) = ("source-only plain", "target-bn-only plain");
let (one, tenth) = ("dann weight_1", "dann weight_0.1");
let mut table = headed();
table.push(row(&study, "target: Target BN only − Source only", [bn, without], target_accuracy));
table.push(row(&study, "target: DANN at 1 − Source only", [one, without], target_accuracy));
table.push(row(&study, "target: DANN at 1 − Target BN only", [one, bn], target_accuracy));
table.push(row(&study, "target: DANN at 0.1 − Target BN only", [tenth, bn], target_accuracy));
table.push(row(&study, "target: DANN at 1 − DANN at 0.1", [one, tenth], target_accuracy));
table.push(row(&study, "source: DANN at 1 − Target BN only", [one, bn], source_accuracy));
table.push(row(&study, "source: DANN at 0.1 − Target BN only", [tenth, bn], source_accuracy));
show(&table)?;
;
{ // cell 36
let mut table = headed();
for weight in ["1", "0.1"] {
    for (suffix, how) in [("+toalign", "as published"), ("+toalign+once", "source counted once")] {
        let (ours, plain) = (format!("dann{suffix} weight_{weight}"), format!("dann weight_{weight}"));
        table.push(row(&study, &format!("at {weight}: DANN+ToAlign, {how} − DANN"), [&ours, &plain], target_accuracy));
        table.push(row(&study, &format!("at {weight}: DANN+ToAlign, {how} − Target BN only"), [&ours, bn], target_accuracy));
    }
}
show(&table)?;
;
{ // cell 37
let (mut losses, mut pulls) = (Chart::new("How D does", "training steps", "alignment loss").narrow().from_zero(), Chart::new("How hard it pulls", "training steps", "pull at the target features").narrow().from_zero());
for method in ["dann", "dann+toalign"] {
    for run in study.of("Cl-Rw", &format!("{method} weight_1")) {
        losses = losses.run(method, run.points(|record| record.loss("alignment")));
        pulls = pulls.run(method, run.points(|record| record.loss("target_pull")));
    }
}
show(&Row::new("DANN at weight 1 and DANN+ToAlign, Clipart → Real World, five seeds each").and(&losses)?.and(&pulls)?)?;
fn last_loss(run: &StudyRun) -> Option<f64> { Some(run.points(|record| record.loss("alignment")).last()?.1) }
let at_end = ["dann weight_1", "dann+toalign weight_1"].map(|method| mean(&study.of("Cl-Rw", method).filter_map(last_loss).collect::<Vec<_>>()).unwrap_or(f64::NAN));
;
{ // cell 38
let labels: Vec<u32> = (0..480).step_by(2).map(|index| dann.task().source.pictures.label(index)).collect();
let f_p = task_relevant(&as_trained(&dann, &dann.task().source)?, &Tensor::new(labels, &Device::Cpu)?, &dann.model().head)?;
let f_target = as_trained(&dann, &dann.task().target)?;
let below_zero = [&f_p, &f_target].map(|f| -> toalign::Result<f64> { Ok(100.0 * f.lt(0.0)?.to_dtype(DType::F64)?.mean_all()?.to_scalar::<f64>()?) });
let [of_source, of_target] = below_zero;
println!("channels below zero: f_p of the source {:.0} %, f of the target {:.0} %; told apart: {:.0} %", of_source?, of_target?, domain_accuracy(&f_p, &f_target)?);
;
{ // cell 41
use toalign::nn::{parameters::{FileLayout, Group, Parameter, Role}, sgd::{GroupRates, Sgd, SgdSettings}};
/// The first alignment losses of DANN: the library's own, or those of another method in its place.
fn first_losses(method: Option<Box<dyn Method>>) -> toalign::Result<Vec<(f64, f64)>> {
    let mut training = Training::new(RunConfig { log_every: 1, ..config("dann".parse()?, 1.0) })?;
    if let Some(method) = method { training = training.with_method(method); }
    training.steps(12)?;
    Ok(training.losses("alignment"))
}
let (mine, of_library) = (first_losses(Some(Box::new(Dann { weight: 1.0 })))?, first_losses(None)?);
;
{ // cell 42
/// Steps of the library's own optimiser down the valley.
fn library_descends(nesterov: bool) -> toalign::Result<f64> {
    let theta = Var::new(&[1f32, 1.0], &Device::Cpu)?;
    let parameter = Parameter { name: "theta".into(), value: theta.clone(), role: Role::Trained(Group::Head), layout: FileLayout::Same };
    let mut sgd = Sgd::new(vec![parameter], SgdSettings { momentum: 0.9, nesterov, weight_decay: 5e-4 })?;
    for _ in 0..9 {
        let loss = ((theta.sqr()? * Tensor::new(&[0.5f32, 15.0], &Device::Cpu)?)?).sum_all()?;
        sgd.step(&loss.backward()?, &GroupRates { backbone: 0.0, head: 0.02, discriminator: 0.0 })?;
    }
    Ok(f64::from(theta.sqr()?.sum_all()?.sqrt()?.to_scalar::<f32>()?))
}
let (ours, theirs) = (descend(0.9, true)[9].1, library_descends(true)?);
;
{ // cell 43
for (found, expected) in by_hand.iter().chain(&by_library).zip(expected.iter().cycle()) {
    assert!((found - expected).abs() < 1e-6, "the slope arrives reversed, λ times as steep: {found} and {expected}");
}
assert!(rising[0].1 == 0.0 && rising[100].1 > 0.999, "λ rises from 0 to 1");
assert!((falling[100].1 - 11f64.powf(-0.75)).abs() < 1e-9, "the learning rate falls to 11^-0.75");
assert!((ours - theirs).abs() < 1e-5, "the steps are those of the library's SGD: {ours} and {theirs}");
let apart = mine.iter().zip(&of_library).map(|(a, b)| (a.1 - b.1).abs()).fold(0.0, f64::max);
assert!(mine.len() == 12 && apart < 4e-3, "the cell's DANN has the losses of the library's: {apart} apart");
assert!(told_apart_with < told_apart_without, "with the adversary the domains are harder to tell apart");
assert!(at_end[0] > 0.3 && at_end[1] < 0.05, "D does not win against DANN, and wins against DANN+ToAlign: {at_end:?}");
println!("all is as it should be");
;
{ // cell 45
println!("told from the target: f_p {:.0} %, f_p cut off at zero {:.0} %", domain_accuracy(&f_p, &f_target)?, domain_accuracy(&f_p.relu()?, &f_target)?);
;
}}}}}}}}}}}}}}}}}}}}}}}}}}}
Ok(())
}
