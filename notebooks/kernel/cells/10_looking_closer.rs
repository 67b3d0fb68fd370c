//! The cells of the lesson `10_looking_closer`; written by `TOALIGN_WRITE_CELLS=1 cargo test --test notebooks`.

#[rustfmt::skip]
fn lesson() -> Result<(), Box<dyn std::error::Error>> {
{ // cell 2
use toalign::prelude::*;
use toalign::data::transform::Transform;
use toalign::explain::{evidence::Evidence, guided::guided_backpropagation, maps, measured::MEASURES, sanity::forgetting, view::{View, Shown, explain}};
use toalign::image::{GrayImage, imageops};
use toalign::model::{HeadKind, ModelSpec, resnet::BackboneKind};
use toalign::report::statistics::{Difference, mean, rank_correlation};
let mut hda = Training::new(RunConfig {
    task: "Cl-Rw".into(), method: "hda".parse()?, steps: 300, test_every: 100, ..RunConfig::mini()
})?;
hda.run()?;
;
{ // cell 4
fn by_hand(e: &Evidence, plus_plus: bool) -> toalign::Result<Tensor> {
    let w = if plus_plus {
        let positive = e.slope.relu()?;                                       // [batch, rows, columns, channels]
        let sum = e.map.sum_keepdim((1, 2))?;                                 // [batch, 1, 1, channels]
        let alpha = (positive.broadcast_mul(&sum)? + 2.0)?.recip()?;
        (alpha * positive)?.sum_keepdim((1, 2))?                              // [batch, 1, 1, channels]
    } else {
        e.slope.mean_keepdim((1, 2))?
    };
    Ok(e.map.broadcast_mul(&w)?.sum(D::Minus1)?.relu()?)                      // [batch, rows, columns]
}
;
{ // cell 6
let real = mini_home::domain("Real_World", Split::Test, &Default::default())?; // 15 fresh pictures of each class
/// Four pictures on one canvas; the mask has only the objects of the class.
fn canvas(domain: &Domain, four: [usize; 4], class: u32) -> toalign::Result<(RgbImage, GrayImage)> {
    let (mut picture, mut mask) = (RgbImage::new(80, 80), GrayImage::new(80, 80));
    for (index, (x, y)) in four.into_iter().zip([(0, 0), (40, 0), (0, 40), (40, 40)]) {
        imageops::replace(&mut picture, &domain.pictures.decode(index)?, x, y);
        let object = domain.pictures.mask(index)?.unwrap_or_default();
        if domain.pictures.label(index) == class { imageops::replace(&mut mask, &object, x, y); }
    }
    Ok((picture, mask))
}
fn several(class: usize, turn: usize) -> [usize; 4] { std::array::from_fn(|place| 15 * class + 4 * turn + place) }
fn one_of_four(class: usize, turn: usize) -> [usize; 4] { std::array::from_fn(|place| 15 * ((class + 3 * place) % 12) + turn) }
let wide = Transform { resize: None, pad: 0, crop: 80, flip: false };
;
{ // cell 7
let views = [View::of_key("grad-cam")?, View::of_key("grad-cam++")?];
let (mut seen, mut captions) = (Vec::new(), Vec::new());
for class in [1usize, 9] {
    for four in [several(class, 0), one_of_four(class, 0)] {
        let (picture, _) = canvas(&real, four, class as u32)?;
        let found = explain(hda.model(), &wide, &picture, Some(class as u32), Layer::Layer4, &views, 3)?;
        seen.push(picture);
        captions.push(format!("{}: {:.0} %", mini_home::class_names()[class], 100.0 * found.probability));
        for (shown, _) in found.views {
            captions.push(if matches!(shown, Shown::NoEvidence) { "no evidence".into() } else { String::new() });
            seen.push(match shown { Shown::Picture(heat) => heat, Shown::NoEvidence => RgbImage::new(80, 80) });
        }
    }
}
show(&PictureGrid::new("Four of the class, and one of four", seen).columns(6).size(100)
    .heads(["four", "Grad-CAM", "Grad-CAM++", "one of four", "Grad-CAM", "Grad-CAM++"]).captions(captions))?;
;
{ // cell 9
fn heat(training: &Training, picture: &RgbImage, class: u32, layer: Layer, key: &str) -> toalign::Result<Vec<f32>> {
    let wide = Transform { resize: None, pad: 0, crop: 80, flip: false };
    let image = wide.test_image(picture, &Device::Cpu)?;                       // [1, 80, 80, 3]
    let evidence = Evidence::of(training.model(), &image, &[class], layer)?;
    let map = (maps::find(key)?.compute)(&evidence)?;                          // [1, side, side]
    Ok(map.flatten_all()?.to_vec1()?)
}
/// The least of the four quarters' shares of the heat, in percent.
fn least_quarter(map: &[f32]) -> Option<f64> {
    let side = map.len().isqrt();
    let mut quarters = [0f64; 4];
    for (place, heat) in map.iter().enumerate() { quarters[2 * (2 * (place / side) / side) + 2 * (place % side) / side] += f64::from(*heat); }
    let all: f64 = quarters.iter().sum();
    (all > 0.0).then(|| 100.0 * quarters.into_iter().fold(f64::MAX, f64::min) / all)
}
;
{ // cell 10
/// Both numbers for one canvas of each kind; none where a map is zero everywhere.
fn numbers_of(training: &Training, real: &Domain, class: usize, turn: usize, layer: Layer, key: &str) -> toalign::Result<[Option<f64>; 2]> {
    let (four, _) = canvas(real, several(class, turn), class as u32)?;
    let (one, mask) = canvas(real, one_of_four(class, turn), class as u32)?;
    let map = heat(training, &one, class as u32, layer, key)?;
    let inside = energy_in_mask(&map, map.len().isqrt(), map.len().isqrt(), &mask)?.map(|share| 100.0 * share);
    Ok([least_quarter(&heat(training, &four, class as u32, layer, key)?), inside])
}
let kinds = [("layer4", Layer::Layer4), ("layer3", Layer::Layer3)];
let mut differences = Vec::new(); // for each layer and number: mean of Grad-CAM, and Grad-CAM++ minus Grad-CAM
for (name, layer) in kinds {
    let mut pairs: [Vec<(f64, f64)>; 2] = Default::default();
    for class in 0..12 { for turn in 0..3 {
        let [plain, plus] = ["grad-cam", "grad-cam++"].map(|key| numbers_of(&hda, &real, class, turn, layer, key));
        for ((plain, plus), pairs) in plain?.into_iter().zip(plus?).zip(&mut pairs) { pairs.extend(plain.zip(plus)); }
    } }
    differences.push((name, pairs));
}
;
{ // cell 11
let heads = ["Grad-CAM", "Grad-CAM++", "difference", "95 %", "canvases"].map(|head| (head, Align::Right));
let mut table = Table::new([("heat in percent", Align::Left)].into_iter().chain(heads));
for (layer, pairs) in &differences {
    for (what, pairs) in ["four objects: the one with the least", "one of four: inside its mask"].iter().zip(pairs) {
        let side = |which: fn(&(f64, f64)) -> f64| mean(&pairs.iter().map(which).collect::<Vec<_>>()).unwrap_or(f64::NAN);
        let found = Difference::of(&pairs.iter().map(|(plain, plus)| plus - plain).collect::<Vec<_>>()).ok_or("no canvas")?;
        let (low, high) = found.interval.ok_or("one canvas")?;
        table.push([format!("{layer}, {what}"), format!("{:.1}", side(|pair| pair.0)), format!("{:.1}", side(|pair| pair.1)),
            format!("{:+.1}", found.mean), format!("{low:+.1} … {high:+.1}"), pairs.len().to_string()]);
    }
}
show(&table)?;
;
{ // cell 14
let target = hda.task().target.clone();
let views: Vec<View> = ["guided-grad-cam", "guided-grad-cam++", "grad-cam", "grad-cam++"].into_iter().map(View::of_key).collect::<toalign::Result<_>>()?;
let small = Transform { resize: None, pad: 0, crop: 40, flip: false };
let (mut seen, mut captions) = (Vec::new(), Vec::new());
for index in [60, 180, 300] {
    let picture = target.pictures.decode(index)?;
    let found = explain(hda.model(), &small, &picture, None, Layer::Layer4, &views, 3)?;
    seen.push(picture.clone());
    captions.push(format!("{}: {:.0} %", mini_home::class_names()[found.class as usize], 100.0 * found.probability));
    for (shown, _) in found.views {
        captions.push(if matches!(shown, Shown::NoEvidence) { "no evidence".into() } else { String::new() });
        seen.push(match shown { Shown::Picture(view) => view, Shown::NoEvidence => picture.clone() });
    }
}
show(&PictureGrid::new("HDA, Real World", seen).columns(5).size(96).captions(captions)
    .heads(["picture", "guided", "guided ++", "Grad-CAM", "Grad-CAM++"]))?;
;
{ // cell 16
/// Grad-CAM, Grad-CAM++ and the size of the guided slope at each pixel, for one class of one image.
fn pictures_of(model: &Model, image: &Tensor, class: u32) -> toalign::Result<[Vec<f32>; 3]> {
    let evidence = Evidence::of(model, image, &[class], Layer::Layer4)?;
    let slope = guided_backpropagation(model, image, &[class])?.abs()?.sum(D::Minus1)?;   // [1, 40, 40]
    let numbers = |tensor: Tensor| -> toalign::Result<Vec<f32>> { Ok(tensor.flatten_all()?.to_vec1()?) };
    Ok([numbers(by_hand(&evidence, false)?)?, numbers(by_hand(&evidence, true)?)?, numbers(slope)?])
}
let spec = ModelSpec { backbone: BackboneKind::Small, classes: 12, head: HeadKind::Heuristic, discriminator: None, sources: 1, hidden: 8, dropout: 0.0, dtype: DType::F32 };
let mut networks = vec![("nothing", hda.model().clone())];
networks.extend(forgetting(hda.model(), &spec, 1)?);
let checked: Vec<(u32, Tensor)> = (0..480).step_by(20).map(|index| -> toalign::Result<_> {
    let image = hda.image(&target.pictures.decode(index)?)?;
    let class = hda.model().predict(&image)?.argmax(D::Minus1)?.to_vec1::<u32>()?[0];
    Ok((class, image))
}).collect::<toalign::Result<_>>()?;
;
{ // cell 17
fn alike(one: &[f32], other: &[f32]) -> Option<f64> {
    rank_correlation(&one.iter().zip(other).map(|(a, b)| (f64::from(*a), f64::from(*b))).collect::<Vec<_>>())
}
let names = ["Grad-CAM", "Grad-CAM++", "Guided Backpropagation"];
let mut found = [[0.0; 7]; 3]; // for each kind of picture, after each loss: mean correlation with the trained network's
for (class, image) in &checked {
    let before = pictures_of(hda.model(), image, *class)?;
    for (lost, (_, network)) in networks.iter().enumerate() {
        for (kind, after) in pictures_of(network, image, *class)?.iter().enumerate() {
            // A blank map has no order.
            found[kind][lost] += alike(&before[kind], after).unwrap_or(0.0) / checked.len() as f64;
        }
    }
}
let mut chart = Chart::new("How much of a picture is left when the network forgets", "parts forgotten, from the head down", "rank correlation");
for (kind, name) in names.iter().enumerate() { chart = chart.curve(name, found[kind].iter().enumerate().map(|(lost, value)| (lost as f64, *value)).collect::<Vec<_>>()); }
show(&chart)?;
;
{ // cell 18
let index = 60;
let image = hda.image(&target.pictures.decode(index)?)?;
let class = hda.model().predict(&image)?.argmax(D::Minus1)?.to_vec1::<u32>()?[0];
let views = [View::of_key("grad-cam")?, View::of_key("guided-backprop")?];
let mut rows = [Vec::new(), Vec::new()];
for (_, network) in &networks {
    let seen = explain(network, &small, &target.pictures.decode(index)?, Some(class), Layer::Layer4, &views, 3)?;
    for ((shown, _), row) in seen.views.into_iter().zip(&mut rows) {
        row.push(match shown { Shown::Picture(view) => view, Shown::NoEvidence => RgbImage::from_pixel(40, 40, toalign::image::Rgb([255; 3])) });
    }
}
let heads: Vec<String> = networks.iter().map(|(part, _)| format!("… {part}")).collect();
show(&PictureGrid::new("Forgotten so far: all up to …", rows.concat()).columns(7).size(80).heads(heads).rows(["Grad-CAM", "Guided"]))?;
;
{ // cell 21
/// Mean of a measure over pictures, one number a seed.
fn of_seeds(lines: &[Vec<String>], [method, domain, map, measure]: [&str; 4]) -> Vec<f64> {
    let wanted = |line: &&Vec<String>| line[1] == method && line[3] == domain && line[5] == map && line[6] == measure;
    lines.iter().filter(wanted).filter_map(|line| line[7].parse().ok()).collect()
}
let text = std::fs::read_to_string("records/maps.csv")?;
let lines: Vec<Vec<String>> = text.lines().skip(1).map(|line| line.split(',').map(str::to_owned).collect()).collect();
let kinds = ["Grad-CAM", "Grad-CAM++", "LayerCAM", "EigenCAM", "no knowledge (random)"];
let mut table = Table::new([("HDA, Real World", Align::Left)].into_iter().chain(MEASURES.map(|(name, _)| (name, Align::Right))));
for kind in kinds {
    let cell = |(measure, _): (&str, &str)| {
        let [ours, plain] = [kind, "Grad-CAM"].map(|map| of_seeds(&lines, ["hda", "Real_World", map, measure]));
        let apart: Vec<f64> = ours.iter().zip(&plain).map(|(a, b)| a - b).collect();
        let sure = Difference::of(&apart).and_then(|found| found.interval).is_some_and(|(low, high)| low > 0.0 || high < 0.0);
        format!("{:.2}{}", mean(&ours).unwrap_or(f64::NAN), if sure { " *" } else { "" })
    };
    table.push(std::iter::once(kind.to_owned()).chain(MEASURES.map(cell)));
}
show(&table)?;
;
{ // cell 23
let heads = ["Clipart (source)", "Real World (target)", "chance there"].map(|head| (head, Align::Right));
let mut table = Table::new([("energy in the mask, Grad-CAM", Align::Left)].into_iter().chain(heads));
for method in ["source-only", "hda", "hda+toalign"] {
    let [source, target] = ["Clipart", "Real_World"].map(|domain| mean(&of_seeds(&lines, [method, domain, "Grad-CAM", "energy"])).unwrap_or(f64::NAN));
    let chance = mean(&of_seeds(&lines, [method, "Real_World", kinds[4], "energy"])).unwrap_or(f64::NAN);
    table.push([method.to_owned(), format!("{source:.1}"), format!("{target:.1}"), format!("{chance:.1}")]);
}
let mut versus = Vec::new();
for (ours, theirs) in [("hda", "source-only"), ("hda+toalign", "hda"), ("hda+toalign", "source-only")] {
    let [a, b] = [ours, theirs].map(|method| of_seeds(&lines, [method, "Real_World", "Grad-CAM", "energy"]));
    let apart = Difference::of(&a.iter().zip(&b).map(|(a, b)| a - b).collect::<Vec<_>>()).ok_or("no seeds")?;
    let (low, high) = apart.interval.ok_or("one seed")?;
    table.push([format!("{ours} − {theirs}"), String::new(), format!("{:+.1} ({low:+.1} … {high:+.1})", apart.mean), String::new()]);
    versus.push(apart);
}
show(&table)?;
;
{ // cell 26
let image = hda.image(&real.pictures.decode(20)?)?;
let evidence = Evidence::of(hda.model(), &image, &[1], Layer::Layer3)?;
fn apart(one: &Tensor, other: &Tensor) -> toalign::Result<f32> {
    Ok(((one - other)?.abs()?.max_all()? / other.abs()?.max_all()?)?.to_scalar::<f32>()?)
}
fn of_library(evidence: &Evidence, key: &str) -> toalign::Result<Tensor> { (maps::find(key)?.compute)(evidence) }
let errors = [apart(&by_hand(&evidence, false)?, &of_library(&evidence, "grad-cam")?)?,
    apart(&by_hand(&evidence, true)?, &of_library(&evidence, "grad-cam++")?)?];
let last = Evidence::of(hda.model(), &image, &[1], Layer::Layer4)?;
let (hires, plain) = (of_library(&last, "hires-cam")?, of_library(&last, "grad-cam")?);
;
{ // cell 27
assert!(errors.iter().all(|error| *error < 1e-4), "the cell's maps are the library's: {errors:?}");
assert!(apart(&hires, &plain)? < 1e-4, "after the last layer HiResCAM is Grad-CAM: its slope is the same at every place");
assert!(found.iter().all(|curve| (curve[0] - 1.0).abs() < 1e-9), "a network that has forgotten nothing has the same pictures");
assert!(found[2][6] > found[0][6] + 0.3, "the guided picture keeps more than Grad-CAM when all is forgotten");
assert!(differences[0].1[0].iter().map(|(plain, plus)| plus - plain).sum::<f64>() > 0.0, "Grad-CAM++ is fairer to several objects");
let [road, of_random] = ["Grad-CAM", kinds[4]].map(|map| mean(&of_seeds(&lines, ["hda", "Real_World", map, "ROAD"])).unwrap_or(f64::NAN));
assert!(road > of_random + 0.1, "Grad-CAM finds pixels that the network needs: {road} beside {of_random}");
println!("all is as it should be");
;
{ // cell 29
let layer_cam = (&evidence.map * evidence.slope.relu()?)?.sum(D::Minus1)?.relu()?;
println!("apart by {:e} of the largest value", apart(&layer_cam, &of_library(&evidence, "layer-cam")?)?);
;
}}}}}}}}}}}}}}}}
Ok(())
}
