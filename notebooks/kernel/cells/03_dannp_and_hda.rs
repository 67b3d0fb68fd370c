//! The cells of the lesson `03_dannp_and_hda`; written by `TOALIGN_WRITE_CELLS=1 cargo test --test notebooks`.

#[rustfmt::skip]
fn lesson() -> Result<(), Box<dyn std::error::Error>> {
{ // cell 2
use toalign::prelude::*;
;
{ // cell 4
fn config(method: Baseline) -> RunConfig {
    RunConfig { task: "Cl-Rw".into(), method, steps: 400, test_every: 80, ..RunConfig::mini() }
}
let mut dannp = Training::new(config("dannp".parse()?))?;
dannp.steps(60)?; // early on, where the weights differ most
let (source, target) = (dannp.task().source.clone(), dannp.task().target.clone());
;
{ // cell 5
fn probabilities(training: &Training, domain: &Domain) -> toalign::Result<Tensor> {
    let features = training.features(domain, 480)?;            // [480, 128]
    softmax(&training.model().head.forward(&features)?.logits) // [480, 12]
}
let (p_source, p_target) = (probabilities(&dannp, &source)?, probabilities(&dannp, &target)?);
fn entropies(p: &Tensor) -> toalign::Result<Vec<f32>> { Ok(entropy(p)?.to_vec1()?) }
show(&Histogram::new("How sure is the network after 60 steps?", "entropy H (nats); 12 equal chances: 2.48")
    .sample("source", entropies(&p_source)?).sample("target", entropies(&p_target)?))?;
;
{ // cell 7
let weights = (entropy_weights(&p_target, 0.0)? * 480.0)?.to_vec1::<f32>()?;
let chosen = p_target.argmax(1)?.to_vec1::<u32>()?;
let mut order: Vec<usize> = (0..480).collect();
order.sort_by(|a, b| weights[*b].total_cmp(&weights[*a]));
let ends: Vec<usize> = order[..96].iter().step_by(12).chain(order[384..].iter().step_by(12)).copied().collect();
let mut views = Vec::new();
for &index in &ends { views.push(target.pictures.decode(index)?); }
show(&PictureGrid::new("Target pictures that count much (above) and little (below)", views).columns(8)
    .captions(ends.iter().map(|&index| format!("× {:.2}", weights[index])))
    .marked(ends.iter().map(|&index| chosen[index] == target.pictures.label(index))))?;
;
{ // cell 9
dannp.run()?;
;
{ // cell 11
let mut hda = Training::new(config("hda".parse()?))?;
hda.run()?;
;
{ // cell 13
let index = (0..480).find(|&index| target.pictures.label(index) == 9).ok_or("no mug")?;
let feature = hda.model().backbone.feature(&hda.image(&target.pictures.decode(index)?)?)?; // [1, 128]
let answer = hda.model().head.forward(&feature)?;
let z = answer.heuristic.clone().ok_or("HDA has heuristic heads")?;
fn row(t: &Tensor) -> toalign::Result<Vec<f64>> { Ok(t.squeeze(0)?.to_dtype(DType::F64)?.to_vec1()?) }
let rows = vec![row(&(&answer.logits + &z)?)?, row(&z)?, row(&answer.logits)?];
let mut classes = mini_home::class_names();
classes[0] = "Clock".into();
show(&PictureGrid::new("The picture", vec![target.pictures.decode(index)?]).size(96))?;
show(&HeatMap::new("Logits of one mug", rows).rows("", ["C(f)", "z", "C(f) - z"]).columns("class", classes))?;
;
{ // cell 15
fn size_of_z(hda: &Training, domain: &Domain) -> toalign::Result<Vec<f32>> {
    let answer = hda.model().head.forward(&hda.features(domain, 480)?)?;
    Ok(answer.heuristic.map(|z| z.abs()?.mean(1)?.to_vec1::<f32>()).transpose()?.unwrap_or_default())
}
let (z_source, z_target) = (size_of_z(&hda, &source)?, size_of_z(&hda, &target)?);
let sizes = Histogram::new("Size of the heuristic part", "mean |z| of a picture").narrow()
    .sample("source", z_source.clone()).sample("target", z_target.clone());
let loss = Chart::new("The heuristic loss", "training steps", "mean |z|").narrow()
    .curve("mean |z|", hda.losses("heuristic"));
show(&Row::new("What the heuristic heads do").and(&sizes)?.and(&loss)?)?;
;
{ // cell 17
show(&Chart::new("Target accuracy while training", "training steps", "target accuracy (%)")
    .curve("dannp", dannp.accuracies("target")).curve("hda", hda.accuracies("target")))?;
;
{ // cell 20
fn rows_agree(hda: &Training, feature: &Tensor) -> toalign::Result<bool> {
    let head = &hda.model().head;
    let moved = (feature * 2.0)?;
    let slope = (head.forward(&moved)?.logits - head.forward(feature)?.logits)?;
    let difference = (slope - feature.matmul(&head.rows()?.t()?)?)?.abs()?.max_all()?.to_scalar::<f32>()?;
    Ok(difference < 1e-3)
}
;
{ // cell 21
let sum: f32 = entropy_weights(&p_target, 0.0)?.sum_all()?.to_scalar()?;
assert!((sum - 1.0).abs() < 1e-4, "weights of a domain sum to one: {sum}");
let certain = Tensor::new(&[[1f32, 0.0], [0.5, 0.5]], &Device::Cpu)?;
let pair = entropy_weights(&certain, 0.0)?.to_vec1::<f32>()?;
assert!((pair[0] / pair[1] - 2.0).abs() < 1e-3, "e^0 against e^(-ln 2): {pair:?}");
assert!(rows_agree(&hda, &feature)?, "C(f) - z is linear in f");
println!("all is as it should be");
;
{ // cell 23
let mut even = Training::new(RunConfig { entropy_conditioning: Some(false), ..config("dannp".parse()?) })?;
even.run()?;
show(&Chart::new("Target accuracy while training", "training steps", "target accuracy (%)")
    .curve("dannp", dannp.accuracies("target"))
    .curve("DANNP, equal weights", even.accuracies("target")))?;
;
}}}}}}}}}}}}
Ok(())
}
