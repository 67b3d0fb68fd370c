//! The cells of the lesson `02_adversarial_training`; written by `TOALIGN_WRITE_CELLS=1 cargo test --test notebooks`.

#[rustfmt::skip]
fn lesson() -> Result<(), Box<dyn std::error::Error>> {
{ // cell 2
use toalign::prelude::*;
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
let rising: Vec<_> = progress.iter().map(|&p| (p, reversal_coefficient(p, 10.0))).collect();
let falling: Vec<_> = progress.iter().map(|&p| (p, inverse_decay(p, 10.0, 0.75))).collect();
show(&Chart::new("How both change over a run", "progress p", "factor")
    .curve("λ(p) of the reversal", rising)
    .curve("η(p) / η₀ of the learning rate", falling))?;
;
{ // cell 10
fn domain_accuracy(source: &Tensor, target: &Tensor) -> toalign::Result<f64> {
    let (mut random, rows) = (generator(0, "lesson", 0, 0), source.dim(0)?);
    let first = Linear::new(source.dim(1)?, 64, 0.0, DType::F32, &mut random)?;
    let last = Linear::new(64, 1, 0.0, DType::F32, &mut random)?;
    let x = Tensor::cat(&[source, target], 0)?;
    let sign: Vec<f32> = (0..2 * rows).map(|row| if row < rows { 1.0 } else { -1.0 }).collect();
    let sign = Tensor::from_vec(sign, (2 * rows, 1), &Device::Cpu)?;
    let half = |odd: u32| Tensor::new((0..rows as u32).map(|row| 2 * row + odd).collect::<Vec<u32>>(), &Device::Cpu);
    let right = |rows: &Tensor| -> toalign::Result<Tensor> { // positive where D is right
        let d = last.forward(&first.forward(&x.index_select(rows, 0)?)?.relu()?)?;
        Ok((d * sign.index_select(rows, 0)?)?)
    };
    for _ in 0..150 {
        let gradients = (right(&half(0)?)?.neg()?.exp()? + 1.0)?.log()?.mean_all()?.backward()?; // of -log σ(±D)
        for w in [&first.weight, &first.bias, &last.weight, &last.bias] {
            if let Some(slope) = gradients.get(w) { w.set(&(w.as_detached_tensor() - (slope * 0.05)?)?)?; }
        }
    }
    Ok(100.0 * right(&half(1)?)?.gt(0.0)?.to_dtype(DType::F64)?.mean_all()?.to_scalar::<f64>()?)
}
;
{ // cell 12
fn config(method: Baseline, weight: f64) -> RunConfig {
    let alignment_weight = Some(weight);
    RunConfig { task: "Cl-Rw".into(), method, alignment_weight, steps: 300, test_every: 60, ..RunConfig::mini() }
}
let mut plain = Training::new(config("source-only".parse()?, 1.0))?;
plain.run()?;
;
{ // cell 13
let mut dann = Training::new(config("dann".parse()?, 1.0))?;
dann.run()?;
;
{ // cell 14
let mut gentle = Training::new(config("dann".parse()?, 0.1))?;
gentle.run()?;
;
{ // cell 16
fn as_trained(training: &Training, domain: &Domain) -> toalign::Result<Tensor> {
    let mut images = Vec::new();
    for index in (0..480).step_by(4) { images.push(training.image(&domain.pictures.decode(index)?)?); }
    let mode = Mode::Training { statistics_updates: 0 };
    Ok(training.model().backbone.forward(&Tensor::cat(&images, 0)?, mode)?.detach()) // [120, 128]
}
;
{ // cell 17
fn plane_of(title: &str, training: &Training) -> toalign::Result<(Scatter, f64)> {
    let source = as_trained(training, &training.task().source)?;
    let target = as_trained(training, &training.task().target)?;
    let plane = Plane::of(&Tensor::cat(&[&source, &target], 0)?)?;
    let accuracy = domain_accuracy(&source, &target)?;
    let title = format!("{title}: {accuracy:.0} % told apart");
    let scatter = Scatter::new(&title, "first component", "second component").narrow()
        .group("source", Dot::Full, plane.points(&source)?)
        .group("target", Dot::Ring, plane.points(&target)?);
    Ok((scatter, accuracy))
}
;
{ // cell 18
let (before, told_apart_before) = plane_of("Source only", &plain)?;
let (after, told_apart_after) = plane_of("DANN", &dann)?;
show(&Row::new("Features before and after adversarial training").and(&before)?.and(&after)?)?;
;
{ // cell 19
show(&Chart::new("Target accuracy while training", "training steps", "target accuracy (%)")
    .curve("source-only", plain.accuracies("target"))
    .curve("dann", dann.accuracies("target"))
    .curve("DANN, published weight 0.1", gentle.accuracies("target")))?;
;
{ // cell 22
for (found, expected) in by_hand.iter().chain(&by_library).zip(expected.iter().cycle()) {
    assert!((found - expected).abs() < 1e-6, "{found} and {expected}");
}
assert_eq!(reversal_coefficient(0.0, 10.0), 0.0);
assert!(told_apart_after + 5.0 < told_apart_before, "alignment makes the domains harder to tell apart");
let last = dann.losses("alignment").last().map(|(_, loss)| *loss).ok_or("no steps")?;
assert!(last > 0.3, "the discriminator has not won: {last}");
println!("all is as it should be");
;
{ // cell 24
let mut control = Training::new(config("target-bn-only".parse()?, 1.0))?;
control.run()?;
show(&Chart::new("Target accuracy while training", "training steps", "target accuracy (%)")
    .curve("source-only", plain.accuracies("target"))
    .curve("target-bn-only", control.accuracies("target"))
    .curve("DANN, published weight 0.1", gentle.accuracies("target")))?;
;
}}}}}}}}}}}}}}
Ok(())
}
