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
let mut matrix = Vec::new();
for training in &trained {
    let mut row = Vec::new();
    for style in Style::ALL {
        let domain = mini_home::domain(style.name(), Split::Test, &Default::default())?;
        row.push(training.test(&domain)?.accuracy);
    }
    matrix.push(row);
}
let names = Style::ALL.map(|style| style.name().replace('_', " "));
show(&HeatMap::new("Accuracy (%) without adaptation", matrix.clone())
    .rows("trained on", names.clone()).columns("tested on", names))?;
;
{ // cell 8
let mut from_clipart = Bars::new("Trained on Clipart", "accuracy (%)");
for (style, accuracy) in Style::ALL.iter().zip(&matrix[1]) {
    from_clipart = from_clipart.bar(style.name(), *accuracy);
}
show(&from_clipart)?;
;
{ // cell 10
let clipart = trained.swap_remove(1);
let mut features = Vec::new();
for style in Style::ALL {
    let domain = mini_home::domain(style.name(), Split::Test, &Default::default())?;
    features.push(clipart.features(&domain, 180)?);
}
let plane = Plane::of(&Tensor::cat(&features[..], 0)?)?;
let mut by_domain = Scatter::new("Coloured by domain", "first component", "second component").narrow();
for (style, feature) in Style::ALL.iter().zip(&features) {
    let dot = if *style == Style::Clipart { Dot::Full } else { Dot::Ring };
    by_domain = by_domain.group(style.name(), dot, plane.points(feature)?);
}
;
{ // cell 11
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
{ // cell 14
let test = mini_home::domain("Real_World", Split::Test, &Default::default())?;
let predictions = clipart.test(&test)?.predictions;
let shown: Vec<_> = predictions.iter().copied().step_by(11).take(16).collect();
let mut views = Vec::new();
for prediction in &shown { views.push(test.pictures.decode(prediction.index)?); }
show(&PictureGrid::new("Real World through the eyes of Clipart's network", views).columns(8)
    .captions(shown.iter().map(|p| format!("{}\n{:.0} %", classes[p.class as usize], 100.0 * p.probability)))
    .marked(shown.iter().map(|p| p.class == p.label)))?;
;
{ // cell 16
for (place, row) in matrix.iter().enumerate() {
    assert!(row[place] > 85.0, "a network knows its own domain: {row:?}");
}
assert!(matrix[1][1] - matrix[1][3] > 15.0, "the shift from Clipart to Real World is large");
assert!(plane.shares[0] > plane.shares[1]);
println!("all is as it should be");
;
{ // cell 18
let mut bars = Bars::new("Clipart's network on Real World", "accuracy (%)");
for (class, name) in classes.iter().enumerate() {
    let of_class: Vec<_> = predictions.iter().filter(|p| p.label as usize == class).collect();
    let right = of_class.iter().filter(|p| p.class == p.label).count();
    bars = bars.bar(&name.replace('_', " "), 100.0 * right as f64 / of_class.len() as f64);
}
show(&bars)?;
;
}}}}}}}}}
Ok(())
}
