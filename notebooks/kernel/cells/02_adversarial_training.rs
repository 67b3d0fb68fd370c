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
let cubes = |x: &Tensor| -> toalign::Result<Tensor> { Ok(x.powf(3.0)?.sum_all()?) };
let by_hand = cubes(&reversed(&x, 0.7)?)?.backward()?.get(&x).ok_or("no gradient")?.to_vec1::<f64>()?;
let by_library = cubes(&grad_reverse(&x, 0.7)?)?.backward()?.get(&x).ok_or("no gradient")?.to_vec1::<f64>()?;
let difference = |at: f64| ((at + 1e-6f64).powi(3) - (at - 1e-6f64).powi(3)) / 2e-6;
let expected: Vec<f64> = x.to_vec1::<f64>()?.into_iter().map(|at| -0.7 * difference(at)).collect();
let mut table = Table::new([("form", Align::Left), ("x = 0.5", Align::Right), ("x = -1", Align::Right), ("x = 2", Align::Right)]);
for (name, values) in [("finite difference × (-λ)", &expected), ("by hand", &by_hand), ("library", &by_library)] {
    table.push(std::iter::once(name.to_owned()).chain(values.iter().map(|value| format!("{value:.6}"))));
}
show(&table)?;
;
{ // cell 8
let progress = || (0..=100).map(|percent| f64::from(percent) / 100.0);
show(&Chart::new("How both change over a run", "progress p", "factor")
    .curve("λ(p) of the reversal", progress().map(|p| (p, reversal_coefficient(p, 10.0))))
    .curve("η(p) / η₀ of the learning rate", progress().map(|p| (p, inverse_decay(p, 10.0, 0.75)))))?;
;
{ // cell 10
fn domain_accuracy(source: &Tensor, target: &Tensor) -> toalign::Result<f64> {
    let mut random = generator(0, "lesson", 0, 0);
    let [rows, channels] = [source.dim(0)?, source.dim(1)?];
    let layers = [Linear::new(channels, 64, 0.0, DType::F32, &mut random)?, Linear::new(64, 1, 0.0, DType::F32, &mut random)?];
    let d = |x: &Tensor| -> toalign::Result<Tensor> { Ok(layers[1].forward(&layers[0].forward(x)?.relu()?)?) };
    let x = Tensor::cat(&[source, target], 0)?;
    let sign: Vec<f32> = (0..2 * rows).map(|row| if row < rows { 1.0 } else { -1.0 }).collect();
    let sign = Tensor::from_vec(sign, (2 * rows, 1), &Device::Cpu)?;
    for _ in 0..150 {
        let loss = ((d(&x)? * &sign)?.neg()?.exp()? + 1.0)?.log()?.mean_all()?; // -log σ(±D)
        let gradients = loss.backward()?;
        for weight in layers.iter().flat_map(|layer| [&layer.weight, &layer.bias]) {
            let gradient = gradients.get(weight).ok_or_else(|| toalign::error::complain("a gradient", "none"))?;
            weight.set(&(weight.as_detached_tensor() - (gradient * 0.05)?)?)?;
        }
    }
    Ok(100.0 * (d(&x)? * &sign)?.gt(0.0)?.to_dtype(DType::F64)?.mean_all()?.to_scalar::<f64>()?)
}
;
{ // cell 12
let config = |method| RunConfig { task: "Cl-Rw".into(), method, steps: 400, test_every: 80, ..RunConfig::mini() };
let mut plain = Training::new(config(Baseline::SourceOnly))?;
plain.run()?;
;
{ // cell 13
let mut dann = Training::new(config(Baseline::Dann))?;
dann.run()?;
;
{ // cell 15
fn plane_of(title: &str, training: &Training) -> toalign::Result<(Scatter, f64)> {
    let task = training.task();
    let [source, target] = [training.features(&task.source, 480)?, training.features(&task.target, 480)?];
    let plane = Plane::of(&Tensor::cat(&[&source, &target], 0)?)?;
    let accuracy = domain_accuracy(&source, &target)?;
    let points = |features: &Tensor| -> toalign::Result<Vec<_>> { Ok(plane.points(features)?.into_iter().step_by(3).collect()) };
    let scatter = Scatter::new(&format!("{title}: told apart {accuracy:.0} %"), "first component", "second component");
    Ok((scatter.group("source", Dot::Full, points(&source)?).group("target", Dot::Ring, points(&target)?).narrow(), accuracy))
}
;
{ // cell 16
let (before, told_apart_before) = plane_of("Source only", &plain)?;
let (after, told_apart_after) = plane_of("DANN", &dann)?;
show(&Row::new("Features before and after adversarial training").and(&before)?.and(&after)?)?;
;
{ // cell 18
show(&Chart::new("Target accuracy while training", "training steps", "target accuracy (%)")
    .curve("source-only", plain.accuracies("target"))
    .curve("dann", dann.accuracies("target")))?;
;
{ // cell 20
for (found, expected) in by_hand.iter().chain(&by_library).zip(expected.iter().cycle()) {
    assert!((found - expected).abs() < 1e-6, "{found} and {expected}");
}
assert_eq!(reversal_coefficient(0.0, 10.0), 0.0);
assert!(told_apart_after < told_apart_before, "alignment makes the domains harder to tell apart");
let last = dann.losses("alignment").last().map(|(_, loss)| *loss).ok_or("no steps")?;
assert!(last > 0.3, "the discriminator has not won: {last}");
println!("all is as it should be");
;
{ // cell 22
let mut control = Training::new(config(Baseline::TargetBnOnly))?;
control.run()?;
show(&Chart::new("Target accuracy while training", "training steps", "target accuracy (%)")
    .curve("source-only", plain.accuracies("target"))
    .curve("target-bn-only", control.accuracies("target"))
    .curve("dann", dann.accuracies("target")))?;
;
}}}}}}}}}}}}
Ok(())
}
