//! The cells of the lesson `11_transferred_knowledge`; written by `TOALIGN_WRITE_CELLS=1 cargo test --test notebooks`.

#[rustfmt::skip]
fn lesson() -> Result<(), Box<dyn std::error::Error>> {
{ // cell 2
use toalign::prelude::*;
use toalign::config::transform;
use toalign::explain::knowledge::{Knowledge, learn::{Settings, learn}, matching::answers, prototypes::Weights};
use toalign::report::knowledge::{answers_table, classes_table, knowledge_sheet};
use toalign::report::statistics::{Difference, bootstrap_interval, mean, rank_correlation};
let mut hda = Training::new(RunConfig {
    task: "Cl-Rw".into(), method: "hda".parse()?, steps: 300, test_every: 100, ..RunConfig::mini()
})?;
hda.steps(300)?;
;
{ // cell 4
let knowledge = Knowledge::of(hda.model(), &transform(hda.config()), hda.task(), 20, &Settings::default())?;
fn curve(losses: &[f64]) -> Vec<(f64, f64)> { losses.iter().enumerate().map(|(step, loss)| (step as f64, *loss)).collect() }
let before = Chart::new("Prototypes and rows", "passes", "loss").narrow().from_zero().curve("loss", curve(&knowledge.learned.losses));
let after = Chart::new("Rows, after the push", "steps", "loss").narrow().from_zero().curve("loss", curve(&knowledge.learned.losses_of_rows));
show(&Row::new("120 prototypes, ten for each class").and(&before)?.and(&after)?)?;
;
{ // cell 6
/// δ and κ of one prototype in one map, [places, channels].
fn nearest(map: &Tensor, r: &Tensor) -> toalign::Result<(f64, f64)> {
    let distances = map.broadcast_sub(r)?.sqr()?.sum(D::Minus1)?;                // [places]
    let least = f64::from(distances.min(0)?.to_scalar::<f32>()?);
    Ok((least, ((least + 1.0) / (least + 1e-4)).ln()))
}
let prototypes = knowledge.learned.prototypes.clone();
let (distance, similarity) = nearest(&knowledge.source.seen.map.i(7)?, &prototypes.points.i(0)?)?;
let (at_home, similarity_at_home) = nearest(&knowledge.source.seen.map.i(knowledge.learned.homes[0].picture)?, &prototypes.points.i(0)?)?;
println!("picture 7: δ = {distance:.4}, κ = {similarity:.2}; the picture that it was pushed to: δ = {at_home:.4}, κ = {similarity_at_home:.2}");
;
{ // cell 8
show(&answers_table(&knowledge))?;
let without = Settings { weights: Weights { calibration: 0.0, fidelity: 0.0, ..Weights::default() }, ..Settings::default() };
let plain = learn(&knowledge.source, &knowledge.target, &without)?.prototypes;
let agreement = [&knowledge.source, &knowledge.target].map(|patches| -> toalign::Result<f64> { Ok(100.0 * answers(&plain, patches)?.agreement) });
let [agreement_source, agreement_target] = agreement;
let (agreement_source, agreement_target) = (agreement_source?, agreement_target?);
println!("without calibration and fidelity they agree on {agreement_source:.1} % of the source and {agreement_target:.1} % of the target");
;
{ // cell 10
let classes = mini_home::class_names();
show(&knowledge_sheet(&knowledge, &transform(hda.config()), &classes, &[1, 3, 5, 7, 9, 11], 3)?)?;
;
{ // cell 12
show(&classes_table(&knowledge, &classes)?)?;
let points: Vec<(f64, f64)> = (0..12).filter_map(|class| {
    let taken = knowledge.target.of_class(class).ok()?;
    let right = taken.iter().filter(|picture| knowledge.target.labels[**picture as usize] as usize == class).count();
    Some((knowledge.transfer(class)?, 100.0 * right as f64 / taken.len() as f64))
}).collect();
let (mut plane, rho) = (Scatter::new("One point is one class", "mean transfer of its prototypes", "of the pictures taken for it right (%)"), rank_correlation(&points));
plane = plane.group("HDA, Clipart → Real World", Dot::Full, points.clone());
show(&plane)?;
println!("rank correlation {:+.2}", rho.unwrap_or(f64::NAN));
;
{ // cell 14
let text = std::fs::read_to_string("records/knowledge.csv")?;
let lines: Vec<Vec<String>> = text.lines().skip(1).map(|line| line.split(',').map(str::to_owned).collect()).collect();
/// Of one method, for each task: rank correlation of transfer and precision over the classes, mean transfer, agreement on the target.
fn by_task(lines: &[Vec<String>], method: &str) -> std::collections::BTreeMap<String, [f64; 3]> {
    let mut tasks = std::collections::BTreeMap::new();
    for line in lines.iter().filter(|line| line[1] == method) { tasks.entry(line[0].clone()).or_insert_with(Vec::new).push(line.clone()); }
    tasks.into_iter().filter_map(|(task, lines)| {
        let number = |line: &Vec<String>, column: usize| line[column].parse::<f64>().ok();
        let pairs: Vec<(f64, f64)> = lines.iter().filter_map(|line| number(line, 4).zip(number(line, 6))).collect();
        let transfer = mean(&pairs.iter().map(|pair| pair.0).collect::<Vec<_>>())?;
        Some((task, [rank_correlation(&pairs)?, transfer, 100.0 * number(&lines[0], 8)?]))
    }).collect()
}
;
{ // cell 15
let heads = ["networks", "agreement on the target (%)", "mean transfer", "correlation of transfer and right answers", "95 % over tasks"].map(|head| (head, Align::Right));
let mut table = Table::new([("method", Align::Left)].into_iter().chain(heads));
for method in ["source-only", "hda", "hda+toalign"] {
    let found: Vec<[f64; 3]> = by_task(&lines, method).into_values().collect();
    let column = |number: usize| found.iter().map(|row| row[number]).collect::<Vec<f64>>();
    let of_correlation = Difference::of(&column(0)).ok_or("no networks")?;
    let (low, high) = of_correlation.interval.ok_or("one network")?;
    table.push([method.to_owned(), found.len().to_string(), format!("{:.1}", mean(&column(2)).unwrap_or(f64::NAN)),
        format!("{:.2}", mean(&column(1)).unwrap_or(f64::NAN)), format!("{:+.2}", of_correlation.mean), format!("{low:+.2} … {high:+.2}")]);
}
show(&table)?;
;
{ // cell 16
let unadapted = by_task(&lines, "source-only");
let gains: Vec<f64> = by_task(&lines, "hda").iter().filter_map(|(task, row)| Some(row[1] - unadapted.get(task)?[1])).collect();
let (low, high) = Difference::of(&gains).and_then(|gain| gain.interval).ok_or("no pairs")?;
println!("mean transfer, HDA minus source only, {} tasks: {:+.3} (95 %: {low:+.3} to {high:+.3})", gains.len(), mean(&gains).unwrap_or(f64::NAN));
;
{ // cell 20
let answer = prototypes.answer(&knowledge.source.seen.map)?;
let of_library = f64::from(answer.distances.i((7, 0))?.to_scalar::<f32>()?);
let pushed: Vec<f64> = knowledge.learned.homes.iter().enumerate().map(|(prototype, home)| -> toalign::Result<f64> {
    Ok(f64::from(answer.distances.i((home.picture, prototype))?.to_scalar::<f32>()?))
}).collect::<toalign::Result<_>>()?;
let classes_of_homes: Vec<usize> = knowledge.learned.homes.iter().map(|home| knowledge.source.labels[home.picture] as usize).collect();
;
{ // cell 21
assert!((distance - of_library).abs() < 1e-4 * of_library.max(1e-3), "the distance by hand is the library's: {distance} and {of_library}");
assert!(pushed.iter().all(|distance| *distance == 0.0), "a pushed prototype is a patch of its picture");
assert!(classes_of_homes.iter().enumerate().all(|(prototype, class)| prototypes.class(prototype) == *class), "it is a patch of its own class");
assert!(knowledge.answers[1].agreement > agreement_target / 100.0, "calibration and fidelity make the prototypes agree with the network");
println!("all is as it should be");
;
{ // cell 23
let again = Knowledge::of(hda.model(), &transform(hda.config()), hda.task(), 20, &Settings { seed: 2, ..Settings::default() })?;
let pairs: Vec<(f64, f64)> = (0..12).filter_map(|class| knowledge.transfer(class).zip(again.transfer(class))).collect();
println!("rank correlation of the classes' transfer with two seeds: {:+.2}", rank_correlation(&pairs).unwrap_or(f64::NAN));
;
}}}}}}}}}}}}
Ok(())
}
