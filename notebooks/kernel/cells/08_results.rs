//! The cells of the lesson `08_results`; written by `TOALIGN_WRITE_CELLS=1 cargo test --test notebooks`.

#[rustfmt::skip]
fn lesson() -> Result<(), Box<dyn std::error::Error>> {
{ // cell 2
use toalign::prelude::*;
use toalign::report::accuracy::{means_by_seed, on_task, scores};
use toalign::report::statistics::{bootstrap_interval, mcnemar, mean, rank_correlation};
let all = read_study("records/mini")?; // two tasks have five seeds
let study = Study { runs: all.runs.iter().filter(|run| run.seed <= 3).cloned().collect() };
println!("{} runs, {} tasks, seeds {:?}", study.runs.len(), study.tasks().len(), study.seeds());
;
{ // cell 4
show(&accuracy_table(&study, Choice::Last))?;
;
{ // cell 6
show(&accuracy_bars(&study, "dannp+toalign", "dannp", Choice::Last))?;
show(&accuracy_bars(&study, "hda+toalign", "hda", Choice::Last))?;
;
{ // cell 8
show(&gains_table(&study, Choice::Last))?;
;
{ // cell 10
show(&gains_by_task(&study, "hda+toalign", "hda", Choice::Last))?;
;
{ // cell 12
let third = Study { runs: study.runs.iter().filter(|run| run.seed == 3 && !["Cl-Rw", "Pr-Ar"].contains(&run.task.as_str())).cloned().collect() };
fn apart(study: &Study, task: &str, [ours, theirs]: [&str; 2]) -> f64 {
    let at = |method: &str| mean(&on_task(&scores(study, method, Choice::Last), task)).unwrap_or(f64::NAN);
    at(ours) - at(theirs)
}
let mut plane = Scatter::new("What counting once gains on +ToAlign, ten tasks, seed 3", "target BN only − source only (points)", "+once − +toalign (points)");
let mut rule = Table::new([("rank correlation", Align::Left), ("ten tasks, seed 3", Align::Right), ("95 % by bootstrap over tasks", Align::Right)]);
let mut double_count = Vec::new();
for method in ["dannp", "hda"] {
    let [once, twice] = [format!("{method}+toalign+once"), format!("{method}+toalign")];
    let points: Vec<(f64, f64)> = third.tasks().iter().map(|task| {
        (apart(&third, task, ["target-bn-only", "source-only"]), apart(&third, task, [&once, &twice]))
    }).collect();
    let rho = rank_correlation(&points).ok_or("no spread")?;
    let (low, high) = bootstrap_interval(&points, 1, rank_correlation).ok_or("no spread")?;
    rule.push([method.to_owned(), format!("{rho:+.2}"), format!("{low:+.2} … {high:+.2}")]);
    double_count.push((rho, low, high, points.len()));
    plane = plane.group(method, Dot::Full, points);
}
;
{ // cell 13
show(&plane)?;
show(&rule)?;
;
{ // cell 15
let published_form = Study { runs: study.runs.iter().filter(|run| !run.method.ends_with("once")).cloned().collect() };
let mut sheet = Column::new("Target accuracy while training");
for pair in study.tasks().chunks(2) {
    let mut row = Row::new("");
    for task in pair {
        let chart = learning_curves(&published_form, task);
        row = row.and(&if *task == "Rw-Pr" { chart } else { chart.without_legend() })?;
    }
    sheet = sheet.and(&row)?;
}
show(&sheet)?;
;
{ // cell 17
let literature = published()?;
show(&published_table(&literature))?;
;
{ // cell 18
let mut notes = Table::new([("where the published numbers disagree, and what they leave out", Align::Left)]);
for note in published_notes()? { notes.push([note]); }
show(&notes)?;
;
{ // cell 19
show(&beside_published(&study, &literature))?;
;
{ // cell 21
show(&choice_table(&study))?;
;
{ // cell 23
fn chosen(study: &Study, choice: Choice) -> Vec<f64> {
    let of = |method: &&str| mean(&means_by_seed(&scores(study, method, choice), &study.tasks())).unwrap_or(f64::NAN);
    ["dannp", "dannp+toalign", "hda", "hda+toalign"].iter().map(of).collect()
}
let names = ["DANNP", "DANNP+ToAlign", "HDA", "HDA+ToAlign"];
let oracle = chosen(&study, Choice::Best);
let title = "What a choice without target labels loses";
let mut rules = GroupedBars::new(title, "points below the oracle, mean of 12 tasks", names);
for choice in [Choice::Last, Choice::Entropy, Choice::Density] {
    let lost = oracle.iter().zip(chosen(&study, choice)).map(|(best, chosen)| (best - chosen, None));
    rules = rules.series(&choice.to_string(), lost);
}
show(&rules)?;
;
{ // cell 24
let mut last_test = Table::new([("rule", Align::Left), ("picks the last test", Align::Right)]);
for choice in [Choice::Best, Choice::Entropy, Choice::Density] {
    let picks = study.runs.iter().filter_map(|run| Some(choose(run, choice)?.step == run.finish()?.step));
    let picked = picks.filter(|last| *last).count();
    last_test.push([choice.to_string(), format!("{picked} of {} runs", study.runs.len())]);
}
show(&last_test)?;
;
{ // cell 26
let matrix = confusion(&study, "hda+toalign").ok_or("no confusion was recorded")?;
show(&confusion_map(&matrix, "HDA+ToAlign, all tasks and seeds (% of each class)"))?;
;
{ // cell 27
let gains = class_gains(&study, "hda+toalign", "hda");
show(&class_gain_bars(&gains, "hda+toalign"))?;
;
{ // cell 29
let pretrained = Training::new(RunConfig { method: "source-only".parse()?, ..RunConfig::mini() })?; // not trained yet
let mut features = std::collections::BTreeMap::new();
for style in Style::ALL {
    let domain = mini_home::domain(style.name(), Split::Train, &Default::default())?;
    features.insert(domain.name[..2].replace("Re", "Rw"), pretrained.features(&domain, 480)?); // [480, 128]
}
/// Share of pictures (%) whose domain a linear D names rightly; it learns on every second picture, and is asked about the others.
fn told_apart(one: &Tensor, other: &Tensor) -> toalign::Result<f64> {
    let x = Tensor::cat(&[one, other], 0)?;
    let domain = Tensor::from_vec((0..960).map(|row| if row < 480 { 1f32 } else { -1.0 }).collect(), (960, 1), &Device::Cpu)?;
    let d = Linear::new(128, 1, 0.0, DType::F32, &mut generator(0, "lesson", 0, 0))?;
    let half = |odd: u32| Tensor::arange_step(odd, 960, 2, &Device::Cpu);
    let right = |rows: Tensor| (d.forward(&x.index_select(&rows, 0)?)? * domain.index_select(&rows, 0)?)?.flatten_all();
    for _ in 0..100 {
        let gradients = (right(half(0)?)?.neg()?.exp()? + 1.0)?.log()?.mean_all()?.backward()?; // of -log σ(±D)
        for w in [&d.weight, &d.bias] { if let Some(slope) = gradients.get(w) { w.set(&(w.as_detached_tensor() - (slope * 0.1)?)?)?; } }
    }
    Ok(100.0 * right(half(1)?)?.gt(0.0)?.to_dtype(DType::F64)?.mean_all()?.to_scalar::<f64>()?)
}
;
{ // cell 30
let mut plane = Scatter::new("Gain against shift", "the pretrained network's domains told apart (%): right = large shift", "gain (points)");
let mut trend = Table::new([("gain of", Align::Left), ("rank correlation with the shift", Align::Right), ("95 % by bootstrap over tasks", Align::Right)]);
let mut correlations = Vec::new();
for method in ["dannp", "hda"] {
    let with = format!("{method}+toalign");
    let mut points = Vec::new();
    for task in study.tasks() {
        let at = |method: &str| mean(&on_task(&scores(&study, method, Choice::Last), task)).unwrap_or(f64::NAN);
        points.push((told_apart(&features[&task[..2]], &features[&task[3..]])?, at(&with) - at(method)));
    }
    let rho = rank_correlation(&points).ok_or("no spread")?;
    let (low, high) = bootstrap_interval(&points, 1, rank_correlation).ok_or("no spread")?;
    trend.push([with.clone(), format!("{rho:+.2}"), format!("{low:+.2} … {high:+.2}")]);
    correlations.push((rho, low, high));
    plane = plane.group(&with, Dot::Full, points);
}
show(&plane)?;
show(&trend)?;
;
{ // cell 32
use toalign::explain::overlay::upscale;
use toalign::image::Rgb;
/// The picture with a tenth of its places made grey: where the map is hottest, or where it is coldest.
fn hidden(picture: &RgbImage, look: &Look, hottest: bool) -> toalign::Result<RgbImage> {
    let heat = upscale(&look.map, look.map_height, look.map_width, 40, 40)?;
    let mut order: Vec<usize> = (0..heat.len()).collect();
    order.sort_by(|a, b| if hottest { heat[*b].total_cmp(&heat[*a]) } else { heat[*a].total_cmp(&heat[*b]) });
    let mut picture = picture.clone();
    for place in &order[..heat.len() / 10] {
        picture.put_pixel(*place as u32 % 40, *place as u32 / 40, Rgb([124, 116, 104])); // ImageNet's mean
    }
    Ok(picture)
}
;
{ // cell 33
let mut networks = Vec::new();
for method in ["source-only", "dannp", "hda", "hda+toalign"] {
    let config = RunConfig { task: "Cl-Rw".into(), steps: 200, test_every: 200, ..RunConfig::mini() };
    let mut training = Training::new(config.with_method_name(method)?)?;
    training.steps(200)?;
    networks.push((method, training));
}
let mut changed = Vec::new(); // of 160 pictures: answers that change only if the hottest, only if the coldest tenth is hidden
for (method, training) in &networks {
    let mut only = [0usize; 2];
    for index in (0..480).step_by(3) {
        let picture = training.task().target.pictures.decode(index)?;
        let look = training.look(&picture)?;
        let changes = |hottest| -> toalign::Result<bool> { Ok(training.look(&hidden(&picture, &look, hottest)?)?.class != look.class) };
        match (changes(true)?, changes(false)?) { (true, false) => only[0] += 1, (false, true) => only[1] += 1, _ => {} }
    }
    changed.push((*method, only));
}
;
{ // cell 34
let heads = ["only the hottest tenth", "only the coldest tenth", "p-value (McNemar)"].map(|head| (head, Align::Right));
let mut table = Table::new([("hiding it changes the answer", Align::Left)].into_iter().chain(heads));
for (method, [hot, cold]) in &changed {
    table.push([method.to_string(), format!("{hot} of 160"), format!("{cold} of 160"), format!("{:.4}", mcnemar(*hot, *cold))]);
}
show(&table)?;
;
{ // cell 36
let mut sure = GroupedBars::new("How sure is the answer?", "mean probability of the predicted class (%)", networks.iter().map(|(method, _)| *method));
let answers: Vec<_> = networks.iter().map(|(_, training)| training.test(&training.task().target)).collect::<Result<_, _>>()?;
for (name, when_right) in [("right", true), ("wrong", false)] {
    let means = answers.iter().map(|test| {
        let of_kind = test.predictions.iter().filter(|answer| (answer.class == answer.label) == when_right);
        let probabilities: Vec<f64> = of_kind.map(|answer| 100.0 * f64::from(answer.probability)).collect();
        (mean(&probabilities).unwrap_or(f64::NAN), None)
    });
    sure = sure.series(name, means);
}
show(&sure)?;
for ((method, _), test) in networks.iter().zip(&answers) {
    let wrong: Vec<_> = test.predictions.iter().filter(|answer| answer.class != answer.label).collect();
    let certain = wrong.iter().filter(|answer| answer.probability > 0.9).count();
    println!("{method}: {certain} of {} wrong answers with more than 90 %", wrong.len());
}
;
{ // cell 38
assert_eq!(study.runs.len(), 12 * 8 * 3, "12 tasks, eight methods, three seeds");
let by_hand: f64 = study.runs.iter().filter(|run| run.method == "hda")
    .filter_map(|run| Some(run.finish()?.last_target_accuracy)).sum();
assert!((by_hand / 36.0 - chosen(&study, Choice::Last)[2]).abs() < 1e-9, "the mean over 12 tasks and 3 seeds");
let adapted = gain(&study, "dannp", "target-bn-only", Choice::Last, Unit::Seed).and_then(|gain| gain.interval);
assert!(adapted.is_some_and(|(low, _)| low > 0.0), "alignment gains more than batch norm alone");
assert!(double_count.iter().all(|(rho, low, high, tasks)| *tasks == 10 && low < rho && rho < high), "the rule is asked of ten tasks");
assert!(oracle.iter().zip(chosen(&study, Choice::Density)).all(|(best, chosen)| *best > chosen), "a rule without labels loses against the oracle");
assert!(correlations.iter().all(|(rho, low, high)| low < rho && rho < high), "the interval is about the correlation");
let [hot, cold] = changed.iter().fold([0usize; 2], |sum, (_, [hot, cold])| [sum[0] + hot, sum[1] + cold]);
assert!(hot > cold && mcnemar(hot, cold) < 0.05, "the heat map names evidence");
println!("all is as it should be");
;
{ // cell 40
let mut lucky = Vec::new();
for task in study.tasks() {
    let of_seeds = on_task(&scores(&study, "hda", Choice::Best), task);
    let (best, worst) = (of_seeds.iter().copied().fold(f64::MIN, f64::max), of_seeds.iter().copied().fold(f64::MAX, f64::min));
    lucky.push(best - worst);
}
println!("HDA gains {:+.1} points on itself", mean(&lucky).unwrap_or(f64::NAN));
;
}}}}}}}}}}}}}}}}}}}}}}}}
Ok(())
}
