//! The cells of the lesson `04_toalign_weighting`; written by `TOALIGN_WRITE_CELLS=1 cargo test --test notebooks`.

#[rustfmt::skip]
fn lesson() -> Result<(), Box<dyn std::error::Error>> {
{ // cell 2
use toalign::prelude::*;
use toalign::report::statistics::{deviation, mean};
let mut dannp = Training::new(RunConfig {
    task: "Rw-Cl".into(), method: "dannp".parse()?, steps: 300, test_every: 100, ..RunConfig::mini()
})?;
dannp.run()?;
;
{ // cell 4
let source = dannp.task().source.clone();
let (index, picture) = one_of_each_class(&source, 12, 4)?.swap_remove(9);
let label = source.pictures.label(index);
let f = Var::from_tensor(&dannp.model().backbone.feature(&dannp.image(&picture)?)?)?; // [1, 128]
let logits = dannp.model().head.forward(&f)?.logits;                                  // [1, 12]
let o_k = logits.i((0, label as usize))?;
let w = o_k.backward()?.get(&f).ok_or("no gradient")?.clone();                        // [1, 128]
;
{ // cell 6
let row = dannp.model().head.rows()?.i(label as usize)?.unsqueeze(0)?; // [1, 128]
let difference = (&w - &row)?.abs()?.max_all()?.to_scalar::<f32>()?;
println!("largest difference between ∂o/∂f and the row: {difference:e}");
let class = mini_home::class_names()[label as usize].clone();
fn numbers(t: &Tensor) -> toalign::Result<Vec<f32>> { Ok(t.flatten_all()?.to_vec1()?) }
show(&PictureGrid::new(&format!("A {class} of the source"), vec![picture.clone()]).size(96))?;
let title = format!("w: the weights of {class}");
show(&SignedBars::new(&title, "channel, largest first", "∂o/∂f", numbers(&w)?).sorted())?;
;
{ // cell 9
fn positive_part(f: &Tensor, w: &Tensor) -> toalign::Result<(Tensor, Tensor)> {
    let weighted = (f * w.detach())?;                                          // [batch, channels]
    let energy = |x: &Tensor| x.sqr()?.sum_keepdim(1);                          // [batch, 1]
    let s = (energy(f)? / energy(&weighted)?)?.sqrt()?;                         // [batch, 1]
    Ok((weighted.broadcast_mul(&s)?, s))
}
let (f_p, s) = positive_part(&f, &w)?;
fn energy(t: &Tensor) -> toalign::Result<f64> { Ok(f64::from(t.sqr()?.sum_all()?.to_scalar::<f32>()?)) }
show(&Bars::new("Energy before and after", "squared length")
    .bar("f", energy(&f)?).bar("w ⊙ f", energy(&(f.as_tensor() * &w)?)?).bar("f_p = s · w ⊙ f", energy(&f_p)?))?;
;
{ // cell 10
let title = "f: what the backbone found (never negative: ReLU and a mean)";
show(&SignedBars::new(title, "channel", "f", numbers(&f)?))?;
show(&SignedBars::new("f_p: what ToAlign aligns", "channel", "s · w · f", numbers(&f_p)?))?;
println!("s = {:.2}", s.flatten_all()?.to_vec1::<f32>()?[0]);
;
{ // cell 12
fn heats(training: &Training, picture: &RgbImage, label: u32) -> toalign::Result<[Vec<f32>; 3]> {
    let image = training.image(picture)?;                                       // [1, 40, 40, 3]
    let map = training.model().backbone.feature_map(&image, Layer::Layer4, Mode::Evaluation)?;
    let w = training.model().head.rows()?.i(label as usize)?;                   // [128]
    let signed = map.broadcast_mul(&w)?.sum(D::Minus1)?.flatten_all()?;         // [25]
    let all = map.sum(D::Minus1)?.flatten_all()?;
    Ok([all.to_vec1()?, signed.relu()?.to_vec1()?, signed.neg()?.relu()?.to_vec1()?])
}
;
{ // cell 13
let samples: Vec<_> = one_of_each_class(&source, 12, 7)?.into_iter().step_by(2).collect();
let mut views: Vec<RgbImage> = samples.iter().map(|(_, picture)| picture.clone()).collect();
for part in 0..3 {
    for (index, picture) in &samples {
        let maps = heats(&dannp, picture, source.pictures.label(*index))?;
        let heat: Vec<f32> = normalise(&maps[part]).unwrap_or(vec![0.0; 25]);
        views.push(overlay(picture, &heat, 5, 5, 4)?);
    }
}
show(&PictureGrid::new("What is aligned: everything, what speaks for the class, what speaks against it", views)
    .columns(6).size(104).rows(["picture", "all of f", "positive", "negative"]))?;
;
{ // cell 15
let test = mini_home::domain("Real_World", Split::Test, &Default::default())?;
/// In percent: what the masks cover, and the heat inside them of all of f, of the positive and of the negative part.
fn shares(training: &Training, test: &Domain) -> toalign::Result<[f64; 4]> {
    let (mut sums, mut counts) = ([0.0; 4], [0.0; 4]);
    for index in 0..test.pictures.len() {
        let mask = test.pictures.mask(index)?.unwrap_or_default();
        let maps = heats(training, &test.pictures.decode(index)?, test.pictures.label(index))?;
        let [all, positive, negative] = maps.map(|map| energy_in_mask(&map, 5, 5, &mask));
        for (column, share) in [Some(chance_level(&mask)?), all?, positive?, negative?].into_iter().enumerate() {
            if let Some(share) = share { sums[column] += 100.0 * share; counts[column] += 1.0; }
        }
    }
    Ok(std::array::from_fn(|column| sums[column] / counts[column]))
}
;
{ // cell 16
let mut by_seed = vec![shares(&dannp, &test)?];
for seed in [1, 2] {
    let mut again = Training::new(RunConfig { seed, ..dannp.config().clone() })?;
    again.steps(300)?;
    by_seed.push(shares(&again, &test)?);
}
let mut bars = GroupedBars::new("Heat inside the object's mask, source (Real World)", "share of the heat (%)", ["seed 0", "seed 1", "seed 2"]);
for (column, name) in ["chance", "all of f", "positive", "negative"].into_iter().enumerate() {
    bars = bars.series(name, by_seed.iter().map(|shares| (shares[column], None)));
}
show(&bars)?;
;
{ // cell 19
let features = dannp.features(&source, 480)?;
let part = task_relevant(&features, &dannp.labels(&source, 480)?, &dannp.model().head)?;
fn entropies(head: &Head, x: &Tensor) -> toalign::Result<Vec<f32>> {
    Ok(entropy(&softmax(&head.forward(x)?.logits)?)?.to_vec1()?)
}
let head = dannp.model().head.clone();
let (plain, weighted) = (entropies(&head, &features)?, entropies(&head, &part)?);
show(&Histogram::new("Entropy of the source's predictions", "entropy H (nats)")
    .sample("from f", plain.clone()).sample("from f_p", weighted.clone()))?;
;
{ // cell 21
/// Mean margin of f_p, predicted and measured, and the mean probability of the true class from f and from f_p.
fn margins(training: &Training, source: &Domain) -> toalign::Result<[f64; 4]> {
    let (f, labels, head) = (training.features(source, 480)?, training.labels(source, 480)?, &training.model().head);
    let o = head.forward(&task_relevant(&f, &labels, head)?)?.logits;                      // [480, 12]
    let is_k = Tensor::eye(12, DType::F32, &Device::Cpu)?.index_select(&labels, 0)?;
    let of_others = (&o - (&is_k * 1e9)?)?.max(D::Minus1)?;                                // [480]
    let measured = ((&o * &is_k)?.sum(D::Minus1)? - of_others)?;
    let sigma = f64::from(head.rows()?.sqr()?.mean_all()?.to_scalar::<f32>()?).sqrt();
    let predicted = ((f.sum(1)? - (f.sqr()?.sum(1)?.sqrt()? * (2.0 * 12f64.ln()).sqrt())?)? * sigma)?;
    let of_truth = |o: &Tensor| -> toalign::Result<Tensor> { Ok((softmax(o)? * &is_k)?.sum(D::Minus1)?) };
    let number = |x: Tensor| -> toalign::Result<f64> { Ok(f64::from(x.mean_all()?.to_scalar::<f32>()?)) };
    Ok([number(predicted)?, number(measured)?, number(of_truth(&head.forward(&f)?.logits)?)?, number(of_truth(&o)?)?])
}
;
{ // cell 22
let mut found = Vec::new(); // for each method, [step][predicted, measured, from f, from f_p]
for method in ["dannp", "hda"] {
    let mut training = Training::new(RunConfig { method: method.parse()?, ..dannp.config().clone() })?;
    let mut rows = vec![margins(&training, &source)?];
    for _ in 0..6 { training.steps(50)?; rows.push(margins(&training, &source)?); }
    let curve = |column: usize| rows.iter().enumerate().map(move |(row, values)| (50.0 * row as f64, values[column])).collect::<Vec<_>>();
    let margin = Chart::new("Margin of f_p", "training steps", "logit above the others").narrow().from_zero()
        .curve("predicted", curve(0)).curve("measured", curve(1));
    let truth = Chart::new("What the softmax says", "training steps", "probability of the true class").narrow().from_zero()
        .curve("from f", curve(2)).curve("from f_p", curve(3));
    show(&Row::new(&format!("{}, source (Real World)", method.to_uppercase())).and(&margin)?.and(&truth)?)?;
    found.push(rows);
}
;
{ // cell 25
/// The adversary's pull at one picture: |Σ_c ∂L_D/∂f_c F_hc| at each place, and the length of ∂L_D/∂f.
fn pull(training: &Training, picture: &RgbImage, label: u32) -> toalign::Result<(Vec<f32>, f64)> {
    let (model, config) = (training.model(), training.config());
    let map = model.backbone.feature_map(&training.image(picture)?, Layer::Layer4, Mode::Evaluation)?; // [1, 5, 5, 128]
    let f = Var::from_tensor(&map.mean((1, 2))?)?;                                                     // [1, 128]
    let labels = Tensor::new(&[label], &Device::Cpu)?;
    let part = if config.toalign { task_relevant(&f, &labels, &model.head)? } else { f.as_tensor().clone() };
    let seen = if config.method.key == "dann" { part } else { softmax(&model.head.forward(&part)?.logits)? };
    let d = model.discriminator()?.forward(&seen, &mut generator(0, "dropout", 0, 0))?;                 // [1, 1]
    let loss = (d.neg()?.exp()? + 1.0)?.log()?.sum_all()?;                                             // -log D: the source's share of L_D
    let slope = loss.backward()?.get(&f).map_or_else(|| f.zeros_like(), |slope| Ok(slope.clone()))?;
    let heat = map.broadcast_mul(&slope)?.sum(D::Minus1)?.abs()?.flatten_all()?.to_vec1()?;
    Ok((heat, f64::from(slope.sqr()?.sum_all()?.sqrt()?.to_scalar::<f32>()?)))
}
;
{ // cell 26
/// Mean share of the pull inside the masks (percent), its standard error, and the mean length of the pull.
fn pulls(training: &Training, test: &Domain) -> toalign::Result<[f64; 3]> {
    let (mut inside, mut lengths) = (Vec::new(), Vec::new());
    for index in 0..test.pictures.len() {
        let (heat, length) = pull(training, &test.pictures.decode(index)?, test.pictures.label(index))?;
        if let Some(share) = energy_in_mask(&heat, 5, 5, &test.pictures.mask(index)?.unwrap_or_default())? { inside.push(100.0 * share); }
        lengths.push(length);
    }
    let of = |values: &[f64]| (mean(values).unwrap_or(f64::NAN), deviation(values).unwrap_or(f64::NAN));
    let (share, spread) = of(&inside);
    Ok([share, spread / (inside.len() as f64).sqrt(), of(&lengths).0])
}
;
{ // cell 27
let methods = ["dann", "dannp", "dannp+toalign"];
let mut found_pulls = Vec::new(); // for each data set, for each method
for data in ["mini", "mini:80"] {
    let test = mini_home::domain("Real_World", Split::Test, &mini_home::Options { rho: if data == "mini" { 0.0 } else { 0.8 }, ..Default::default() })?;
    for method in methods {
        let config = dannp.config().with_method_name(method)?;
        let mut training = Training::new(RunConfig { data: data.parse()?, ..config })?;
        training.steps(300)?;
        found_pulls.push((data, method, pulls(&training, &test)?));
    }
}
;
{ // cell 28
let heads = ["pull inside the mask (%)", "what the masks cover (%)", "length of the pull"].map(|head| (head, Align::Right));
let mut table = Table::new([("the adversary of", Align::Left), ("data", Align::Left)].into_iter().chain(heads));
for (data, method, [share, error, length]) in &found_pulls {
    table.push([method.to_string(), data.to_string(), format!("{share:.1} ± {error:.1}"), format!("{:.1}", by_seed[0][0]), format!("{length:.1e}")]);
}
show(&table)?;
;
{ // cell 31
assert!(difference < 1e-5, "autograd and the classifier's row agree");
assert!((energy(&f)? - energy(&f_p)?).abs() < 1e-3 * energy(&f)?, "f_p keeps the energy of f");
let library = task_relevant(&f, &Tensor::new(&[label], &Device::Cpu)?, &dannp.model().head)?;
assert!((library - &f_p)?.abs()?.max_all()?.to_scalar::<f32>()? < 1e-4, "the library computes the same");
fn mean_of(values: &[f32]) -> f32 { values.iter().sum::<f32>() / values.len() as f32 }
assert!(mean_of(&weighted) < mean_of(&plain), "f_p makes the source more certain");
assert!(by_seed.iter().all(|shares| shares[2] > shares[3]), "the positive part lies on the object more than the negative");
let before: Vec<[f64; 2]> = found.iter().map(|rows| [rows[0][2], rows[0][3]]).collect();
assert!(before.iter().all(|[from_f, from_part]| *from_f < 0.5 && *from_part > 0.9), "before the first step f_p names the true class, f does not");
assert!(found_pulls[2].2[2] < 0.1 * found_pulls[1].2[2], "with ToAlign the adversary hardly pulls at the source: {:?}", found_pulls);
println!("all is as it should be");
;
{ // cell 33
let mut hda = Training::new(RunConfig { method: "hda".parse()?, ..dannp.config().clone() })?;
hda.steps(100)?;
let f = Var::from_tensor(&hda.features(&source, 1)?)?;
let slope = hda.model().head.forward(&f)?.logits.i((0, 3))?.backward()?.get(&f).ok_or("no gradient")?.squeeze(0)?;
let difference = (slope - hda.model().head.rows()?.i(3)?)?.abs()?.max_all()?.to_scalar::<f32>()?;
assert!(difference < 1e-5);
println!("largest difference: {difference:e}");
;
}}}}}}}}}}}}}}}}}}
Ok(())
}
