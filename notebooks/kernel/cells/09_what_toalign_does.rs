//! The cells of the lesson `09_what_toalign_does`; written by `TOALIGN_WRITE_CELLS=1 cargo test --test notebooks`.

#[rustfmt::skip]
fn lesson() -> Result<(), Box<dyn std::error::Error>> {
{ // cell 2
use toalign::prelude::*;
use toalign::model::{HeadKind, ModelSpec, resnet::BackboneKind};
use toalign::report::accuracy::{means_by_seed, on_task, scores};
use toalign::report::adversary::adversary_table;
use toalign::report::charts::loss_curves;
use toalign::report::gains::paired;
use toalign::report::statistics::{Difference, equivalence, mean};
let all = read_study("records/controls/mini")?;
fn is_control(method: &str) -> bool { ["detached", "unit", "temperature10", "once"].iter().any(|word| method.ends_with(word)) }
let study = Study { runs: all.runs.iter().filter(|run| !is_control(&run.method)).cloned().collect() };
println!("{} runs, tasks {:?}, seeds {:?}", study.runs.len(), study.tasks(), study.seeds());
;
{ // cell 4
fn rows_of(model: &Model) -> toalign::Result<f64> { // σ, the root mean square of the head's rows
    Ok(f64::from(model.head.rows()?.sqr()?.mean_all()?.to_scalar::<f32>()?).sqrt())
}
/// Mean margin, predicted and measured, and the mean probability of the true class from f and from f_p.
fn margins(model: &Model, f: &Tensor, labels: &Tensor, classes: usize) -> toalign::Result<[f64; 4]> {
    let o = model.head.forward(&task_relevant(f, labels, &model.head)?)?.logits;     // [batch, classes]
    let is_k = Tensor::eye(classes, DType::F32, f.device())?.index_select(labels, 0)?;
    let of_others = (&o - (&is_k * 1e9)?)?.max(D::Minus1)?;                          // [batch]
    let measured = ((&o * &is_k)?.sum(D::Minus1)? - of_others)?;
    let largest_noise = (2.0 * (classes as f64).ln()).sqrt();
    let predicted = ((f.sum(D::Minus1)? - (f.sqr()?.sum(D::Minus1)?.sqrt()? * largest_noise)?)? * rows_of(model)?)?;
    let of_truth = |logits: &Tensor| -> toalign::Result<Tensor> { Ok((softmax(logits)? * &is_k)?.sum(D::Minus1)?) };
    let number = |x: Tensor| -> toalign::Result<f64> { Ok(f64::from(x.mean_all()?.to_scalar::<f32>()?)) };
    Ok([number(predicted)?, number(measured)?, number(of_truth(&model.head.forward(f)?.logits)?)?, number(of_truth(&o)?)?])
}
;
{ // cell 5
let source = mini_home::domain("Clipart", Split::Train, &Default::default())?;
let pictures: Vec<RgbImage> = (0..480).step_by(15).map(|index| source.pictures.decode(index)).collect::<Result<_, _>>()?;
let bytes: Vec<f32> = pictures.iter().flat_map(|picture| picture.as_raw().iter().map(|&byte| f32::from(byte) / 128.0 - 1.0)).collect();
let images = Tensor::from_vec(bytes, (32, 40, 40, 3), &Device::Cpu)?;
let labels = Tensor::from_vec((0..32u32).map(|label| 2 * label).collect::<Vec<_>>(), 32, &Device::Cpu)?;
let mut found = Vec::new();
for (name, backbone) in [("small, C = 128", BackboneKind::Small), ("ResNet-18, C = 512", BackboneKind::ResNet18), ("ResNet-50, C = 2048", BackboneKind::ResNet50)] {
    for (of, head) in [("DANNP", HeadKind::Linear), ("HDA", HeadKind::Heuristic)] {
        let spec = ModelSpec { backbone, classes: 65, head, discriminator: None, sources: 1, hidden: 8, dropout: 0.0, dtype: DType::F32 };
        let model = Model::new(&spec, 1)?;
        let f = model.backbone.forward(&images, Mode::Training { statistics_updates: 0 })?.detach();
        found.push((format!("{name}, {of}"), margins(&model, &f, &labels, 65)?));
    }
}
;
{ // cell 6
let heads = ["margin, predicted", "measured", "probability of the true class, from f", "from f_p"].map(|head| (head, Align::Right));
let mut table = Table::new([("random network, 65 classes", Align::Left)].into_iter().chain(heads));
for (name, [predicted, measured, plain, part]) in &found {
    table.push([name.clone(), format!("{predicted:.1}"), format!("{measured:.1}"), format!("{plain:.3}"), format!("{part:.6}")]);
}
show(&table)?;
;
{ // cell 9
show(&accuracy_table(&study, Choice::Last))?;
show(&gains_table(&study, Choice::Last))?;
;
{ // cell 11
let mut plane = Scatter::new("One point is one run", "target accuracy with labels (%)", "target accuracy (%)");
for (method, control) in [("dannp", "dannp+labels"), ("dannp+toalign", "dannp+labels"), ("hda", "hda+labels"), ("hda+toalign", "hda+labels")] {
    let (ours, theirs) = (scores(&study, method, Choice::Last), scores(&study, control, Choice::Last));
    let dot = if method.ends_with("toalign") { Dot::Full } else { Dot::Ring };
    plane = plane.group(method, dot, ours.iter().filter_map(|(run, accuracy)| Some((*theirs.get(run)?, *accuracy))));
}
show(&plane)?;
;
{ // cell 14
show(&adversary_table(&study).ok_or("no measures")?)?;
let pulls = ["source_pull", "target_pull"].map(|name| loss_curves(&Study { runs: study.of("Cl-Rw", "hda").chain(study.of("Cl-Rw", "hda+toalign")).cloned().collect() }, name));
show(&Row::new("HDA and HDA+ToAlign, Clipart → Real World").and(&pulls[0])?.and(&pulls[1])?)?;
;
{ // cell 17
fn on(study: &Study, method: &str) -> Vec<f64> {
    let pairs = scores(study, method, Choice::Last);
    (1..=5).filter_map(|seed| pairs.get(&("Cl-Rw", seed)).copied()).collect()
}
let heads = [("target accuracy", Align::Right), ("minus ToAlign", Align::Right), ("95 %", Align::Right)];
let mut table = Table::new([("Cl-Rw, seeds 1 to 5", Align::Left)].into_iter().chain(heads));
for (key, suffix) in [("dannp", ""), ("dannp", "+toalign"), ("dannp", "+labels"), ("dannp", "+detached"), ("dannp", "+toalign+once"),
    ("dannp", "+unit"), ("dannp", "+temperature10"), ("hda", ""), ("hda", "+toalign"), ("hda", "+labels"), ("hda", "+toalign+once")] {
    let (ours, toalign) = (on(&all, &format!("{key}{suffix}")), on(&all, &format!("{key}+toalign")));
    let differences: Vec<f64> = ours.iter().zip(&toalign).map(|(a, b)| a - b).collect();
    let found = Difference::of(&differences).ok_or("no runs")?;
    let interval = found.interval.map_or(String::new(), |(low, high)| format!("{low:+.1} … {high:+.1}"));
    table.push([format!("{key}{suffix}"), format!("{:.1}", mean(&ours).unwrap_or(f64::NAN)), format!("{:+.1}", found.mean), interval]);
}
show(&table)?;
;
{ // cell 21
fn by_seed(study: &Study, method: &str) -> Vec<f64> {
    means_by_seed(&paired(study, &format!("{method}+toalign"), &format!("{method}+labels"), Choice::Last), &study.tasks())
}
for method in ["dannp", "hda"] {
    let differences = by_seed(&study, method);
    assert_eq!(differences.len(), 6, "six whole seeds");
    assert!(equivalence(&differences, 1.0).is_some_and(|p| p < 0.05), "{method}: the same within a point");
    let plain = means_by_seed(&paired(&study, &format!("{method}+toalign"), method, Choice::Last), &study.tasks());
    assert!(equivalence(&plain, 1.0).is_none_or(|p| p > 0.05), "{method}: the test can fail; it does for the plain method");
}
for (name, [predicted, measured, _, part]) in &found {
    assert!((measured / predicted - 1.0).abs() < 0.25 && *part > 0.9, "the margin is as predicted: {name}, {measured} of {predicted}, {part}");
}
println!("all is as it should be");
;
{ // cell 23
let spec = ModelSpec { backbone: BackboneKind::ResNet18, classes: 65, head: HeadKind::Linear, discriminator: None, sources: 1, hidden: 8, dropout: 0.0, dtype: DType::F32 };
let model = Model::new(&spec, 1)?;
let f = model.backbone.forward(&images, Mode::Training { statistics_updates: 0 })?.detach();
let answers = model.head.forward(&f)?.logits.argmax(D::Minus1)?.to_vec1::<u32>()?;
let wrong: Vec<u32> = (0..32u32).filter(|&picture| answers[picture as usize] != 2 * picture).collect();
let rows = Tensor::from_vec(wrong.clone(), wrong.len(), &Device::Cpu)?;
let [_, _, plain, part] = margins(&model, &f.index_select(&rows, 0)?, &labels.index_select(&rows, 0)?, 65)?;
println!("{} of 32 pictures are answered wrongly; probability of their true class: {plain:.3} from f, {part:.6} from f_p", wrong.len());
;
}}}}}}}}}}
Ok(())
}
