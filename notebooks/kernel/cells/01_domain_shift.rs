//! The cells of the lesson `01_domain_shift`; written by `TOALIGN_WRITE_CELLS=1 cargo test --test notebooks`.

#[rustfmt::skip]
fn lesson() -> Result<(), Box<dyn std::error::Error>> {
{ // cell 2
use toalign::prelude::*;
;
{ // cell 4
let mut trained = Vec::new();
for source in Style::ALL {
    let target = if source == Style::Art { "Clipart" } else { "Art" }; // of no influence here
    let task = format!("{}-{target}", source.name());
    let mut training = Training::new(RunConfig {
        task, method: "source-only".parse()?, steps: 400, test_every: 100, ..RunConfig::mini()
    })?;
    training.run()?;
    trained.push(training);
}
;
{ // cell 6
fn on_all(training: &Training) -> toalign::Result<Vec<f64>> {
    let mut row = Vec::new();
    for style in Style::ALL {
        let domain = mini_home::domain(style.name(), Split::Test, &Default::default())?;
        row.push(training.test(&domain)?.accuracy);
    }
    Ok(row)
}
let matrix: Vec<Vec<f64>> = trained.iter().map(on_all).collect::<Result<_, _>>()?;
let names = Style::ALL.map(|style| style.name().replace('_', " "));
show(&HeatMap::new("Accuracy (%) without adaptation", matrix.clone())
    .rows("trained on", names.clone()).columns("tested on", names))?;
;
{ // cell 9
let mut scratch = Training::new(RunConfig { weights: "none".parse()?, test_every: 400, ..trained[1].config().clone() })?;
scratch.steps(400)?;
let from_scratch = on_all(&scratch)?;
fn bars(accuracies: &[f64]) -> Vec<(f64, Option<f64>)> { accuracies.iter().map(|&accuracy| (accuracy, None)).collect() }
show(&GroupedBars::new("Trained on the 480 labels of Clipart", "accuracy (%)", Style::ALL.map(|style| style.name().replace('_', " ")))
    .series("pretrained on other emoji", bars(&matrix[1])).series("random weights", bars(&from_scratch)))?;
;
{ // cell 12
let clipart = trained.swap_remove(1);
let mut features = Vec::new();
for style in Style::ALL {
    let domain = mini_home::domain(style.name(), Split::Test, &Default::default())?;
    features.push(clipart.features(&domain, 180)?);                                // [180, 128]
}
let plane = Plane::of(&Tensor::cat(&features[..], 0)?)?;
let mut by_domain = Scatter::new("Coloured by domain", "first component", "second component").narrow();
for (style, feature) in Style::ALL.iter().zip(&features) {
    let dot = if *style == Style::Clipart { Dot::Full } else { Dot::Ring };
    by_domain = by_domain.group(style.name(), dot, plane.points(feature)?);
}
;
{ // cell 13
let classes = mini_home::class_names();
let title = "Clipart (discs), Real World (rings)";
let mut by_class = Scatter::new(title, "first component", "second component").narrow();
for class in [2, 7, 10] {
    for (place, style, dot) in [(1, "Clipart", Dot::Full), (3, "Real World", Dot::Ring)] {
        let points = plane.points(&features[place])?.into_iter().enumerate();
        let of_class = points.filter(|(index, _)| index / 15 == class).map(|(_, point)| point);
        by_class = by_class.group(&format!("{} {style}", classes[class]), dot, of_class);
    }
}
show(&Row::new("Features in two dimensions").and(&by_domain)?.and(&by_class)?)?;
println!("the plane holds {:.0} % of the variance", 100.0 * (plane.shares[0] + plane.shares[1]));
;
{ // cell 15
/// Of the pictures of one domain, in percent, those whose nearest picture of Clipart is of their class (15 pictures of each, in order).
fn near_its_class(place: usize, features: &[Tensor]) -> toalign::Result<f64> {
    let (from, among) = (&features[place], &features[1]);                           // [180, 128]
    let square = |x: &Tensor| x.sqr()?.sum_keepdim(1);                              // [180, 1]
    let squares = square(from)?.broadcast_add(&square(among)?.t()?)?;               // [180, 180]
    let itself = Tensor::eye(180, DType::F32, from.device())?;
    let distances = ((squares - (from.matmul(&among.t()?)? * 2.0)?)? + (itself * if place == 1 { 1e9 } else { 0.0 })?)?;
    let nearest = distances.argmin(1)?.to_vec1::<u32>()?;
    let same = nearest.iter().enumerate().filter(|(row, other)| row / 15 == **other as usize / 15).count();
    Ok(100.0 * same as f64 / nearest.len() as f64)
}
let near: Vec<f64> = (0..4).map(|place| near_its_class(place, &features)).collect::<Result<_, _>>()?;
let mut chart = Bars::new("Is the nearest picture of Clipart one of the same class?", "share of the pictures (%)");
for (style, share) in Style::ALL.iter().zip(&near) { chart = chart.bar(style.name(), *share); }
show(&chart)?;
;
{ // cell 18
let test = mini_home::domain("Real_World", Split::Test, &Default::default())?;
let predictions = clipart.test(&test)?.predictions;
let shown: Vec<_> = predictions.iter().copied().step_by(11).take(16).collect();
let mut views = Vec::new();
for prediction in &shown { views.push(test.pictures.decode(prediction.index)?); }
show(&PictureGrid::new("Real World through the eyes of Clipart's network", views).columns(8)
    .captions(shown.iter().map(|p| format!("{}\n{:.0} %", classes[p.class as usize], 100.0 * p.probability)))
    .marked(shown.iter().map(|p| p.class == p.label)))?;
let wrong: Vec<_> = predictions.iter().copied().filter(|p| p.class != p.label).collect();
let sure = wrong.iter().filter(|p| p.probability >= 0.9).count();
println!("{} of {} answers are wrong, {sure} of them with 90 % confidence or more", wrong.len(), predictions.len());
;
{ // cell 20
for (place, row) in matrix.iter().enumerate() {
    assert!(row[place] > 75.0, "a network knows its own domain: {row:?}");
}
assert!(matrix[1][1] - matrix[1][3] > 15.0, "the shift from Clipart to Real World is large");
assert!(matrix[1][3] > from_scratch[3] + 10.0, "pretrained weights carry further than random ones");
fn variance(values: &[f64]) -> f64 {
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    values.iter().map(|value| (value - mean).powi(2)).sum()
}
let all = Tensor::cat(&features[..], 0)?;
let (first, second): (Vec<f64>, Vec<f64>) = plane.points(&all)?.into_iter().unzip();
let channels = all.to_dtype(DType::F64)?.t()?.to_vec2::<f64>()?;
let share = (variance(&first) + variance(&second)) / channels.iter().map(|channel| variance(channel)).sum::<f64>();
assert!((share - plane.shares[0] - plane.shares[1]).abs() < 1e-3, "the plane holds what it says of the variance: {share}");
assert!(near[1] > near[3] + 20.0, "Clipart's pictures lie beside their class, Real World's less often: {near:?}");
println!("all is as it should be");
;
{ // cell 22
let mut bars = Bars::new("Clipart's network on Real World", "accuracy (%)");
for (class, name) in classes.iter().enumerate() {
    let of_class: Vec<_> = predictions.iter().filter(|p| p.label as usize == class).collect();
    let right = of_class.iter().filter(|p| p.class == p.label).count();
    bars = bars.bar(&name.replace('_', " "), 100.0 * right as f64 / of_class.len() as f64);
}
show(&bars)?;
;
}}}}}}}}}}
Ok(())
}
