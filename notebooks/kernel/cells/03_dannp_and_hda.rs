//! The cells of the lesson `03_dannp_and_hda`; written by `TOALIGN_WRITE_CELLS=1 cargo test --test notebooks`.

#[rustfmt::skip]
fn lesson() -> Result<(), Box<dyn std::error::Error>> {
{ // cell 2
use toalign::prelude::*;
use toalign::method::{alignment::Alignment, dannp::Dannp, shown::Shown};
use toalign::model::discriminator::Discriminator;
use toalign::report::{accuracy::{on_task, scores}, gains::gain_on, statistics::{Difference, deviation, mean}};
;
{ // cell 4
let nats: Vec<f64> = (0..=100).map(|percent| 12f64.ln() * f64::from(percent) / 100.0).collect();
show(&Chart::new("The weight of a picture, against one that is certain", "entropy H of its prediction (nats); 12 equal chances: 2.48", "relative weight")
    .curve("exp(-H): HDA, ToAlign", nats.iter().map(|h| (*h, (-h).exp())))
    .curve("1 + exp(-H): CDAN", nats.iter().map(|h| (*h, (1.0 + (-h).exp()) / 2.0))).from_zero())?;
;
{ // cell 6
fn config(method: Baseline, seed: u64) -> RunConfig {
    RunConfig { task: "Cl-Rw".into(), method, seed, steps: 400, test_every: 80, ..RunConfig::mini() }
}
let mut early = Vec::new(); // DANNP after 60 steps, while its weights still differ much
for seed in 0..5 {
    let mut one = Training::new(config("dannp".parse()?, seed))?;
    one.steps(60)?;
    early.push(one);
}
let (source, target) = (early[0].task().source.clone(), early[0].task().target.clone());
;
{ // cell 7
fn as_trained(training: &Training, domain: &Domain) -> toalign::Result<Tensor> {
    let mut images = Vec::new();
    for index in 0..480 { images.push(training.image(&domain.pictures.decode(index)?)?); }
    let mode = Mode::Training { statistics_updates: 0 };
    Ok(training.model().backbone.forward(&Tensor::cat(&images, 0)?, mode)?.detach()) // [480, 128]
}
fn probabilities(training: &Training, domain: &Domain) -> toalign::Result<Tensor> {
    softmax(&training.model().head.forward(&as_trained(training, domain)?)?.logits) // [480, 12]
}
let (p_source, p_target) = (probabilities(&early[0], &source)?, probabilities(&early[0], &target)?);
fn entropies(p: &Tensor) -> toalign::Result<Vec<f32>> { Ok(entropy(p)?.to_vec1()?) }
show(&Histogram::new("How sure is the network after 60 steps? (seed 0)", "entropy H (nats); 12 equal chances: 2.48")
    .sample("source", entropies(&p_source)?).sample("target", entropies(&p_target)?))?;
;
{ // cell 9
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
{ // cell 11
/// Weight (1 = average) and rightness (0 or 1) of each target picture, the heaviest first.
fn weighed(training: &Training) -> toalign::Result<Vec<(f64, f64)>> {
    let target = &training.task().target;
    let p = probabilities(training, target)?;
    let a = (entropy_weights(&p, 0.0)? * 480.0)?.to_vec1::<f32>()?;
    let chosen = p.argmax(1)?.to_vec1::<u32>()?;
    let right = |index: usize| f64::from(u8::from(chosen[index] == target.pictures.label(index)));
    let mut pairs: Vec<(f64, f64)> = (0..480).map(|index| (f64::from(a[index]), right(index))).collect();
    pairs.sort_by(|a, b| b.0.total_cmp(&a.0));
    Ok(pairs)
}
let mut all_weighed = Vec::new();
for one in &early { all_weighed.push(weighed(one)?); }
;
{ // cell 12
fn tenths(pairs: &[(f64, f64)], of: fn(&(f64, f64)) -> f64) -> Vec<(f64, f64)> {
    pairs.chunks(48).enumerate().map(|(tenth, chunk)| (tenth as f64 + 1.0, chunk.iter().map(of).sum::<f64>() / 48.0)).collect()
}
let mut counts = Chart::new("How much a picture counts", "tenth of the pictures, heaviest first", "mean weight (1 = average)").narrow().from_zero();
let mut correct = Chart::new("How many predictions are right", "tenth of the pictures, heaviest first", "right (%)").narrow().from_zero();
for pairs in &all_weighed {
    counts = counts.run("dannp", tenths(pairs, |pair| pair.0));
    correct = correct.run("dannp", tenths(pairs, |pair| 100.0 * pair.1));
}
show(&Row::new("Target pictures by their weight").and(&counts)?.and(&correct)?)?;
;
{ // cell 13
let shares: Vec<[f64; 2]> = all_weighed.iter().map(|pairs| [pairs.iter().map(|(a, right)| a * right).sum::<f64>() / 4.8, pairs.iter().map(|pair| pair.1).sum::<f64>() / 4.8]).collect();
let gain = Difference::of(&shares.iter().map(|[weighted, even]| weighted - even).collect::<Vec<_>>()).ok_or("no runs")?;
fn over_seeds(of: impl Fn(usize) -> f64) -> f64 { mean(&(0..5).map(of).collect::<Vec<_>>()).unwrap_or(f64::NAN) }
let mut table = Table::new([("mean over five seeds", Align::Left), ("weight", Align::Right), ("right (%)", Align::Right)]);
for (name, tenth) in [("heaviest tenth", 0), ("lightest tenth", 9)] {
    let [weight, right] = [over_seeds(|seed| tenths(&all_weighed[seed], |pair| pair.0)[tenth].1), over_seeds(|seed| tenths(&all_weighed[seed], |pair| 100.0 * pair.1)[tenth].1)];
    table.push([name.to_owned(), format!("{weight:.2}"), format!("{right:.1}")]);
}
table.push(["all, each counts the same".to_owned(), "1.00".into(), format!("{:.1}", over_seeds(|seed| shares[seed][1]))]);
table.push(["all, counted by their weight".to_owned(), "a".into(), format!("{:.1}", over_seeds(|seed| shares[seed][0]))]);
table.push(["difference, with 95 % interval".to_owned(), String::new(), gain.interval.map_or(String::new(), |(low, high)| format!("{:+.1} ({low:+.1} … {high:+.1})", gain.mean))]);
show(&table)?;
;
{ // cell 16
/// What DANNP's loss sends to the features of both domains; λ where D sees p, and where H does.
fn pull(training: &Training, f: &[Var; 2], [of_d, of_h]: [f64; 2]) -> Result<Tensor, Box<dyn std::error::Error>> {
    let (head, d) = (&training.model().head, training.model().discriminator()?);
    let p = [softmax(&head.forward(&f[0])?.logits)?, softmax(&head.forward(&f[1])?.logits)?];
    let a = [entropy_weights(&p[0], of_h)?, entropy_weights(&p[1], of_h)?];
    let input = StepInput { source_images: &f[0], source_labels: &f[0], target_images: None, reversal_coefficient: of_d, seed: 0, step: 0 }; // λ and dropout
    let gradients = adversarial(d, [&p[0], &p[1]], [&a[0], &a[1]], &input)?.backward()?;
    let [source, target] = [0, 1].map(|domain| gradients.get(&f[domain]).cloned().ok_or("no gradient"));
    Ok(Tensor::cat(&[source?, target?], 0)?) // [source + target, 128]
}
let f = [Var::from_tensor(&as_trained(&early[0], &source)?)?, Var::from_tensor(&as_trained(&early[0], &target)?)?];
let plain = pull(&early[0], &f, [-1.0; 2])?;
let mut turned = Vec::new();
for lambda in [0.2, 0.6, 1.0] { turned.push((lambda, pull(&early[0], &f, [lambda; 2])?)); }
;
{ // cell 17
fn some(pull: &Tensor) -> toalign::Result<Vec<f64>> { // every 512th of the numbers, in millionths
    Ok(pull.flatten_all()?.to_dtype(DType::F64)?.to_vec1::<f64>()?.into_iter().step_by(511).map(|value| 1e6 * value).collect())
}
let mut plane = Scatter::new("The pull at the features: one dot, one channel of one picture", "without reversal (millionths)", "with reversal (millionths)");
for (lambda, pull) in &turned { plane = plane.group(&format!("λ = {lambda}"), Dot::Ring, some(&plain)?.into_iter().zip(some(pull)?)); }
show(&plane)?;
;
{ // cell 19
/// Share of the squared length of `pull` that lies outside what the rows span (Gram and Schmidt).
fn outside(pull: &Tensor, rows: &Tensor) -> toalign::Result<f64> {
    let rows = rows.detach().broadcast_sub(&rows.detach().mean_keepdim(0)?)?;
    let (mut rest, mut units): (Tensor, Vec<Tensor>) = (pull.clone(), Vec::new());
    for k in 0..rows.dim(0)? - 1 { // the last is minus the sum of the others
        let mut unit = rows.i(k..k + 1)?;
        for before in &units { unit = (&unit - unit.matmul(&before.t()?)?.matmul(before)?)?; }
        let unit = unit.broadcast_div(&unit.sqr()?.sum_keepdim(1)?.sqrt()?)?;
        rest = (&rest - rest.matmul(&unit.t()?)?.matmul(&unit)?)?;
        units.push(unit);
    }
    let length = |x: &Tensor| -> toalign::Result<f64> { Ok(f64::from(x.sqr()?.sum_all()?.to_scalar::<f32>()?)) };
    Ok(length(&rest)? / length(pull)?)
}
let d = Discriminator::new(1, 128, 64, 0.0, DType::F32, &mut generator(0, "lesson", 0, 0))?;
let of_f = d.forward(&f[1], &mut generator(0, "lesson", 0, 1))?.sum_all()?.backward()?.get(&f[1]).cloned().ok_or("no gradient")?;
let rows = early[0].model().head.rows()?;
let shares_outside = [outside(&plain, &rows)?, outside(&of_f, &rows)?];
println!("outside the 11 directions: {:.2} % of DANNP's pull, {:.1} % of that of a D (untrained) which sees f", 100.0 * shares_outside[0], 100.0 * shares_outside[1]);
;
{ // cell 21
let mut dannp = Training::new(config("dannp".parse()?, 0))?;
dannp.run()?;
;
{ // cell 23
let mut square = Study::default();
for (name, folder, method) in [("f, equal", "dann/weight_1/mini", "dann"), ("f, a", "dann/entropy/mini", "dann"), ("p, equal", "dann/no_entropy/mini", "dannp"),
    ("p, a", "mini", "dannp"), ("f, equal, weight 0.1", "dann/weight_0.1/mini", "dann"), ("Target BN only", "mini", "target-bn-only")] {
    for mut run in read_study(format!("records/{folder}"))?.runs {
        if (run.task.as_str(), run.method.as_str()) == ("Cl-Rw", method) { run.method = name.into(); square.runs.push(run); }
    }
}
let mut bars = GroupedBars::new("Five seeds: mean and standard deviation", "target accuracy (%)", ["D sees features f", "D sees probabilities p"]);
for (label, names) in [("equal weights", ["f, equal", "p, equal"]), ("entropy weights a", ["f, a", "p, a"])] {
    let of = names.map(|name| on_task(&scores(&square, name, Choice::Last), "Cl-Rw"));
    bars = bars.series(label, of.iter().map(|values| (mean(values).unwrap_or(f64::NAN), deviation(values))));
}
show(&bars)?;
;
{ // cell 24
let heads = [("target accuracy", Align::Right), ("minus", Align::Left), ("target accuracy", Align::Right), ("difference", Align::Right), ("95 % over seeds", Align::Right)];
let mut table = Table::new([("D sees, weights", Align::Left)].into_iter().chain(heads));
for (ours, theirs) in [("p, equal", "f, equal"), ("p, a", "f, a"), ("p, a", "f, equal, weight 0.1"), ("f, a", "f, equal"), ("p, a", "p, equal"), ("p, a", "Target BN only")] {
    let found = gain_on(&square, "Cl-Rw", ours, theirs, Choice::Last).ok_or("no pairs")?;
    let (low, high) = found.interval.ok_or("one pair")?;
    let [a, b] = [ours, theirs].map(|name| format!("{:.1}", mean(&square.last_accuracies("Cl-Rw", name)).unwrap_or(f64::NAN)));
    table.push([ours.to_owned(), a, theirs.to_owned(), b, format!("{:+.1}", found.mean), format!("{low:+.1} … {high:+.1}")]);
}
show(&table)?;
;
{ // cell 27
fn likeness(hda: &Training, domain: &Domain) -> Result<Vec<f32>, Box<dyn std::error::Error>> {
    let answer = hda.model().head.forward(&as_trained(hda, domain)?)?;
    let (o, z) = (answer.logits, answer.heuristic.ok_or("HDA has heuristic heads")?);
    let length = |x: &Tensor| x.sqr()?.sum(1)?.sqrt();
    Ok(((&o * &z)?.sum(1)? / (length(&o)? * length(&z)?)?)?.to_vec1()?)
}
let mut hda = Training::new(config("hda".parse()?, 0))?;
let sizes: Vec<f32> = std::iter::once(&hda.model().head.classifier).chain(&hda.model().head.heuristics)
    .map(|head| head.weight.sqr()?.mean_all()?.sqrt()?.to_scalar()).collect::<Result<_, _>>()?;
let alike_at_start = likeness(&hda, &target)?;
hda.run()?;
;
{ // cell 28
let alike_at_end = likeness(&hda, &target)?;
show(&Histogram::new("How alike are the answer and the heuristic part?", "cosine of o and z, of a target picture")
    .sample("before the first step", alike_at_start.clone()).sample("after the last", alike_at_end.clone()))?;
;
{ // cell 30
let index = (0..480).find(|&index| target.pictures.label(index) == 9).ok_or("no mug")?;
let feature = hda.model().backbone.feature(&hda.image(&target.pictures.decode(index)?)?)?; // [1, 128]
let answer = hda.model().head.forward(&feature)?;
let z = answer.heuristic.clone().ok_or("HDA has heuristic heads")?;
fn row(t: &Tensor) -> toalign::Result<Vec<f64>> { Ok(t.squeeze(0)?.to_dtype(DType::F64)?.to_vec1()?) }
let logits = vec![row(&(&answer.logits + &z)?)?, row(&z)?, row(&answer.logits)?];
let mut classes = mini_home::class_names();
classes[0] = "Clock".into();
show(&PictureGrid::new("The picture", vec![target.pictures.decode(index)?]).size(96))?;
show(&HeatMap::new("Logits of one mug", logits).rows("", ["C(f)", "z", "o = C(f) - z"]).columns("class", classes))?;
;
{ // cell 32
fn size_of_z(hda: &Training, domain: &Domain) -> toalign::Result<Vec<f32>> {
    let answer = hda.model().head.forward(&as_trained(hda, domain)?)?;
    Ok(answer.heuristic.map(|z| z.abs()?.mean(1)?.to_vec1::<f32>()).transpose()?.unwrap_or_default())
}
let (z_source, z_target) = (size_of_z(&hda, &source)?, size_of_z(&hda, &target)?);
let histogram = Histogram::new("Size of the heuristic part", "mean |z| of a picture").narrow()
    .sample("source", z_source.clone()).sample("target", z_target.clone());
let loss = Chart::new("The heuristic loss", "training steps", "L_z = mean |z|").narrow()
    .curve("mean |z|", hda.losses("heuristic"));
show(&Row::new("What the heuristic heads do").and(&histogram)?.and(&loss)?)?;
;
{ // cell 34
fn told_apart(source: &Tensor, target: &Tensor) -> toalign::Result<f64> {
    let mut random = generator(0, "lesson", 0, 0);
    let both = Tensor::cat(&[source, target], 0)?.detach();
    let centred = both.broadcast_sub(&both.mean_keepdim(0)?)?;
    let x = centred.broadcast_div(&(centred.sqr()?.mean_keepdim(0)?.sqrt()? + 1e-6)?)?.reshape((2, source.dim(0)?, ()))?;
    let layers = [Linear::new(source.dim(1)?, 64, 0.0, DType::F32, &mut random)?, Linear::new(64, 1, 0.0, DType::F32, &mut random)?];
    let right = |odd: u32| -> toalign::Result<Tensor> { // of every second picture; positive where D is right
        let rows = Tensor::new((odd..source.dim(0)? as u32).step_by(2).collect::<Vec<u32>>(), &Device::Cpu)?;
        let d = |domain: usize| layers[1].forward(&layers[0].forward(&x.i(domain)?.index_select(&rows, 0)?)?.relu()?);
        Ok(Tensor::cat(&[d(0)?, d(1)?.neg()?], 0)?)
    };
    for _ in 0..300 {
        let gradients = (right(0)?.neg()?.exp()? + 1.0)?.log()?.mean_all()?.backward()?;
        for w in layers.iter().flat_map(|layer| [&layer.weight, &layer.bias]) {
            if let Some(slope) = gradients.get(w) { w.set(&(w.as_detached_tensor() - (slope * 0.1)?)?)?; }
        }
    }
    Ok(100.0 * right(1)?.gt(0.0)?.to_dtype(DType::F64)?.mean_all()?.to_scalar::<f64>()?)
}
;
{ // cell 35
/// C(f), -z, o and p of pictures with the features f.
fn parts(hda: &Training, f: &Tensor) -> Result<[Tensor; 4], Box<dyn std::error::Error>> {
    let answer = hda.model().head.forward(f)?;
    let z = answer.heuristic.ok_or("HDA has heuristic heads")?;
    Ok([(&answer.logits + &z)?, z.neg()?, answer.logits.clone(), softmax(&answer.logits)?])
}
let of_source = parts(&hda, &as_trained(&hda, &source)?)?;
let of_target = parts(&hda, &as_trained(&hda, &target)?)?;
let tested = parts(&hda, &hda.features(&target, 480)?)?; // as in a test
let labels = hda.labels(&target, 480)?;
let (mut classes_right, mut domains_right) = (Vec::new(), Vec::new());
for part in 0..4 {
    classes_right.push(100.0 * tested[part].argmax(1)?.eq(&labels)?.to_dtype(DType::F64)?.mean_all()?.to_scalar::<f64>()?);
    domains_right.push(told_apart(&of_source[part], &of_target[part])?);
}
;
{ // cell 36
let mut table = Table::new([("part of the answer", Align::Left), ("class right (%)", Align::Right), ("domains told apart (%)", Align::Right)]);
for (part, name) in ["C(f)", "-z", "o = C(f) - z", "p = softmax(o)"].into_iter().enumerate() {
    table.push([name.to_owned(), format!("{:.1}", classes_right[part]), format!("{:.1}", domains_right[part])]);
}
show(&table)?;
show(&GroupedBars::new("What each part of HDA's answer knows (one model)", "%", ["C(f)", "-z", "o = C(f) - z", "p"])
    .series("class of a target picture right", classes_right.iter().map(|&value| (value, None)))
    .series("domains told apart (50 is guessing)", domains_right.iter().map(|&value| (value, None))))?;
;
{ // cell 39
show(&Chart::new("Target accuracy while training", "training steps", "target accuracy (%)")
    .curve("dannp", dannp.accuracies("target")).curve("hda", hda.accuracies("target")))?;
;
{ // cell 41
let mut rates = read_study("records/mini")?;
for mut run in read_study("records/dann/head_40/mini")?.runs {
    run.method = "dannp × 40".into();
    rates.runs.push(run);
}
let heads = [("difference", Align::Right), ("95 % over seeds", Align::Right)];
let mut table = Table::new([("target accuracy, in points", Align::Left)].into_iter().chain(heads));
for (task, ours, theirs) in [("Cl-Rw", "hda", "dannp"), ("Pr-Ar", "hda", "dannp"), ("Cl-Rw", "dannp × 40", "dannp"), ("Cl-Rw", "hda", "dannp × 40")] {
    let found = gain_on(&rates, task, ours, theirs, Choice::Last).ok_or("no pairs")?;
    let (low, high) = found.interval.ok_or("one pair")?;
    table.push([format!("{task}: {ours} − {theirs}"), format!("{:+.1}", found.mean), format!("{low:+.1} … {high:+.1}")]);
}
show(&table)?;
;
{ // cell 44
use toalign::nn::parameters::{Group, Role};
/// What DANNP, as the library has it, sends from its alignment loss to the first layer of the backbone and of D.
fn reaches(training: &Training, lambda: f64) -> Result<[Tensor; 2], Box<dyn std::error::Error>> {
    let batch = |domain: &Domain| -> toalign::Result<Tensor> {
        let images = (0..480).step_by(15).map(|index| training.image(&domain.pictures.decode(index)?)).collect::<toalign::Result<Vec<_>>>()?;
        Ok(Tensor::cat(&images, 0)?)
    };
    let (source, target) = (batch(&training.task().source)?, batch(&training.task().target)?);
    let labels = Tensor::new((0..480).step_by(15).map(|index| training.task().source.pictures.label(index)).collect::<Vec<_>>(), &Device::Cpu)?;
    let input = StepInput { source_images: &source, source_labels: &labels, target_images: Some(&target), reversal_coefficient: lambda, seed: 0, step: 0 };
    let alignment = Alignment { shown: Shown::Feature, entropy_conditioning: true, weight: 1.0, statistics_updates: 1 };
    let losses = Dannp { alignment }.losses(training.model(), &input)?;
    let gradients = losses.parts.iter().find(|part| part.0 == "alignment").ok_or("no part")?.1.backward()?;
    let first = |group| training.model().parameters().into_iter().find(|one| one.role == Role::Trained(group)).and_then(|one| gradients.get(&one.value).cloned()).ok_or("no gradient");
    Ok([first(Group::Backbone)?, first(Group::Discriminator)?])
}
let (turning, straight) = (reaches(&early[0], 0.5)?, reaches(&early[0], -1.0)?);
;
{ // cell 45
fn largest(x: &Tensor) -> toalign::Result<f32> { Ok(x.abs()?.max_all()?.to_scalar::<f32>()?) }
/// Whether `a` is `factor` times `b`.
fn is_times(a: &Tensor, factor: f64, b: &Tensor) -> toalign::Result<bool> { Ok(largest(&(a - (b * factor)?)?)? < 1e-3 * largest(b)?) }
let pair = entropy_weights(&Tensor::new(&[[1f32, 0.0], [0.5, 0.5]], &Device::Cpu)?, 0.0)?.to_vec1::<f32>()?;
let ratios: Vec<f32> = sizes[1..].iter().map(|size| size / sizes[0]).collect();
/// Whether o grows by `rows` times f when f doubles.
fn linear(hda: &Training, f: &Tensor, rows: &Tensor) -> toalign::Result<bool> {
    let head = &hda.model().head;
    is_times(&(head.forward(&(f * 2.0)?)?.logits - head.forward(f)?.logits)?, 1.0, &f.matmul(&rows.t()?)?)
}
let is_linear = linear(&hda, &feature, &hda.model().head.rows()?)?;
let (even, odd): (Vec<u32>, Vec<u32>) = ((0..480).step_by(2).collect(), (1..480).step_by(2).collect());
let halves = [even, odd].map(|rows| of_source[0].index_select(&Tensor::new(rows, &Device::Cpu)?, 0));
let [first_half, second_half] = halves;
let of_one_domain = told_apart(&first_half?, &second_half?)?;
;
{ // cell 46
for (lambda, pull) in &turned {
    assert!(is_times(pull, -lambda, &plain)?, "DANNP's pull at f is turned around, λ times as large");
}
assert!(is_times(&turning[0], -0.5, &straight[0])?, "so it is where the library has it, at the backbone");
assert!(is_times(&turning[1], 1.0, &straight[1])?, "D learns at full strength, whatever λ");
assert!(shares_outside[0] < 1e-6 && shares_outside[1] > 0.5, "DANNP pulls only along the rows of C: {shares_outside:?}");
assert!((pair[0] / pair[1] - 2.0).abs() < 1e-3, "e^0 against e^(-ln 2): {pair:?}");
assert!(gain.interval.is_some_and(|(low, _)| low > 0.0), "right predictions have more than their share of the weight");
assert!(ratios.iter().zip([100.0, 70.7, 44.7]).all(|(found, expected)| (found / expected - 1.0).abs() < 0.1), "C starts 100, 71 and 45 times smaller: {ratios:?}");
assert!(alike_at_start.iter().all(|cosine| *cosine < -0.99), "o begins as -z");
assert!(is_linear, "o = C(f) - z is linear in f, with the rows of all heads");
assert!((40.0..60.0).contains(&of_one_domain), "D guesses where there is one domain: {of_one_domain}");
assert!(hda.accuracies("target").last().is_some_and(|last| (last.1 - classes_right[2]).abs() < 1e-9), "the answer of the tests is o");
println!("all is as it should be");
;
{ // cell 48
let mut cdan = Vec::new();
for training in &early {
    let p = probabilities(training, &target)?;
    let a = (entropy(&p)?.neg()?.exp()? + 1.0)?.to_vec1::<f32>()?;
    let chosen = p.argmax(1)?.to_vec1::<u32>()?;
    let (mut all, mut right) = (0.0, 0.0);
    for index in 0..480 {
        all += f64::from(a[index]);
        if chosen[index] == target.pictures.label(index) { right += f64::from(a[index]); }
    }
    cdan.push(100.0 * right / all);
}
let mut bars = Bars::new("Right predictions' share of the weight, after 60 steps", "share (%)");
for (name, values) in [("equal weights", shares.iter().map(|share| share[1]).collect()), ("1 + exp(-H): CDAN", cdan), ("exp(-H)", shares.iter().map(|share| share[0]).collect::<Vec<f64>>())] {
    bars = bars.bar_with_error(name, mean(&values).unwrap_or(f64::NAN), deviation(&values).unwrap_or(f64::NAN));
}
show(&bars)?;
;
}}}}}}}}}}}}}}}}}}}}}}}}}}}
Ok(())
}
