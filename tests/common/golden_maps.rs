//! Runs the golden cases of heat maps and of their measures, made with the published packages in f64.

use candle_core::{DType, Device, IndexOp, Tensor};
use serde_json::Value;
use toalign::explain::attention::{chance_level, energy_in_mask, pointing_hit};
use toalign::explain::confidence::{Confidence, complexity};
use toalign::explain::deletion::{Change, blurred, change};
use toalign::explain::evidence::Evidence;
use toalign::explain::guided::{guided, guided_backpropagation, shown};
use toalign::explain::maps;
use toalign::explain::overlay::enlarged;
use toalign::explain::road::{Road, imputed, kept};
use toalign::image::{GrayImage, Luma};

use super::golden::{as_f64, case_image, case_model, integer, layer, number, numbers};

/// The case's names of our kinds of maps.
const NAMES: [(&str, &str); 10] = [
    ("grad-cam", "grad_cam"),
    ("grad-cam++", "grad_cam_pp"),
    ("grad-cam++-epsilon", "grad_cam_pp_epsilon"),
    ("grad-cam++-authors", "grad_cam_pp_authors"),
    ("hires-cam", "hires_cam"),
    ("layer-cam", "layer_cam"),
    ("x-grad-cam", "x_grad_cam"),
    ("element-wise", "grad_cam_elementwise"),
    ("eigen-cam", "eigen_cam"),
    ("eigen-grad-cam", "eigen_grad_cam"),
];

/// Compares quantities, each by its largest value, and keeps the worst.
pub struct Comparison {
    pub case: String,
    pub tolerance: f64,
    pub worst: f64,
}

impl Comparison {
    pub fn all(&mut self, what: &str, found: &[f64], expected: &[f64]) {
        assert_eq!(found.len(), expected.len(), "{}: {what}", self.case);
        let largest = expected.iter().fold(1e-12, |largest: f64, value| largest.max(value.abs()));
        for (found, expected) in found.iter().zip(expected) {
            let error = (found - expected).abs() / largest;
            assert!(
                error <= self.tolerance,
                "{}: {what}: expected {expected}, found {found} ({error:e})",
                self.case
            );
            self.worst = self.worst.max(error);
        }
    }

    pub fn one(&mut self, what: &str, found: f64, expected: &Value) {
        self.all(what, &[found], &[expected.as_f64().unwrap()]);
    }

    /// A picture `[height, width, channels]` against its summary: sums, the beginning of a row, and a grid of places.
    fn picture(&mut self, what: &str, found: &Tensor, expected: &Value) {
        let (height, width, channels) = found.dims3().unwrap();
        let values = as_f64(found);
        let at =
            |row: usize, column: usize, channel: usize| values[(row * width + column) * channels + channel];
        let absolute = |channel: usize| -> f64 {
            (0..height * width).map(|pixel| values[pixel * channels + channel].abs()).sum()
        };
        let of_channels: Vec<f64> = (0..channels).map(absolute).collect();
        self.all(&format!("{what}, absolute sums"), &of_channels, &numbers(&expected["channel_abs_sums"]));
        let all = of_channels.iter().sum::<f64>();
        // A sum that cancels is judged by what was summed.
        self.all(
            &format!("{what}, sums"),
            &[values.iter().sum(), all],
            &[number(expected, "sum"), number(expected, "abs_sum")],
        );
        let row: Vec<f64> = (0..8).map(|column| at(0, column, 0)).collect();
        let places: Vec<usize> = numbers(&expected["at"]).into_iter().map(|place| place as usize).collect();
        let mut grid = Vec::new();
        for channel in 0..channels {
            for &row in &places {
                grid.extend(places.iter().map(|&column| at(row, column, channel)));
            }
        }
        let (row0, expected_grid) = (numbers(&expected["row0"]), numbers(&expected["grid"]));
        let both = |a: &[f64], b: &[f64]| a.iter().chain(b).copied().collect::<Vec<f64>>();
        self.all(&format!("{what}, places"), &both(&row, &grid), &both(&row0, &expected_grid));
    }
}

/// All maps of a case, in `dtype`; gives back the worst relative error.
pub fn run_explain_case(name: &str, case: &Value, dtype: DType, tolerance: f64) -> f64 {
    let mut comparison = Comparison { case: format!("{name} in {dtype:?}"), tolerance, worst: 0.0 };
    let (model, layer) = (case_model(case, dtype, &Device::Cpu), layer(case));
    let (image, class) = (case_image(case, dtype, &Device::Cpu), [integer(case, "class") as u32]);
    let expect = &case["expect"];
    let evidence = Evidence::of(&model, &image, &class, layer).unwrap();
    let score = as_f64(&evidence.score)[0];
    // A logit may be near zero: what it is off by is judged by 1.
    assert!((score - number(expect, "score")).abs() <= tolerance, "{name}: {score}");
    comparison.one("probability", as_f64(&evidence.probability)[0], &expect["probability"]);

    for (kind, (key, theirs)) in maps::ALL.iter().map(|kind| {
        (kind, *NAMES.iter().find(|(key, _)| *key == kind.key).expect("every kind has a golden map"))
    }) {
        let mut found = as_f64(&(kind.compute)(&evidence).unwrap());
        if key == "grad-cam++-authors" {
            found.iter_mut().for_each(|value| *value *= score.exp());
        }
        comparison.all(theirs, &found, &numbers(&expect[theirs]));
    }
    let slope = guided_backpropagation(&model, &image, &class).unwrap();
    comparison.picture("guided_backprop", &slope.i(0).unwrap(), &expect["guided_backprop"]);
    for (key, theirs) in [("grad-cam", "guided_grad_cam"), ("grad-cam++", "guided_grad_cam_pp")] {
        let map = (maps::find(key).unwrap().compute)(&evidence).unwrap();
        comparison.picture(theirs, &guided(&map, &slope).unwrap().i(0).unwrap(), &expect[theirs]);
    }
    // The package scales its masks in single precision.
    comparison.tolerance = tolerance.max(2e-6);
    for (key, theirs) in [("grad-cam", "grad_cam"), ("grad-cam++-epsilon", "grad_cam_pp_epsilon")] {
        let map = (maps::find(key).unwrap().compute)(&evidence).unwrap();
        let side = integer(case, "image");
        let mask = mask_of_pytorch_grad_cam(&map, side);
        comparison.picture(
            theirs,
            &mask.i(0).unwrap().unsqueeze(2).unwrap(),
            &expect["mask_of_pytorch_grad_cam"][theirs],
        );
        if key == "grad-cam" {
            let product = slope.broadcast_mul(&mask.unsqueeze(3).unwrap()).unwrap();
            let found = shown(&product.i(0).unwrap()).unwrap();
            comparison.picture("guided_grad_cam_shown", &found, &expect["guided_grad_cam_shown"]);
        }
    }
    println!("{}: worst relative error {:.1e}", comparison.case, comparison.worst);
    comparison.worst
}

/// How the package pytorch-grad-cam scales a map before and after enlarging it; for the comparison only.
fn mask_of_pytorch_grad_cam(map: &Tensor, side: usize) -> Tensor {
    let scaled = |map: &Tensor| {
        let map = map.relu().unwrap();
        let map = map.broadcast_sub(&map.min_all().unwrap()).unwrap();
        let most = (map.max_all().unwrap() + 1e-7).unwrap();
        map.broadcast_div(&most).unwrap()
    };
    scaled(&enlarged(&scaled(map), side, side).unwrap())
}

/// All measures of a case, in `dtype`; gives back the worst relative error.
pub fn run_measure_case(name: &str, case: &Value, dtype: DType, tolerance: f64) -> f64 {
    let mut comparison = Comparison { case: format!("{name} in {dtype:?}"), tolerance, worst: 0.0 };
    let model = case_model(case, dtype, &Device::Cpu);
    let (image, class) = (case_image(case, dtype, &Device::Cpu), integer(case, "class") as u32);
    let (side, expect) = (integer(case, "image"), &case["expect"]);
    let map = made_up_map(&case["map"], side);

    let seen = Confidence::of(&model, &image, class, &map).unwrap();
    let confidence = &expect["confidence"];
    comparison.one("probability", seen.before, &expect["probability"]);
    comparison.one("seen through the map", seen.through_map, &confidence["seen_through_map"]);
    // A difference of two probabilities is judged by these.
    assert!((seen.drop() - number(confidence, "drop")).abs() <= tolerance * seen.before, "{name}: drop");
    assert!(
        (seen.drop_percent() - number(confidence, "drop_percent")).abs() <= 100.0 * tolerance,
        "{name}: drop"
    );
    assert_eq!(seen.increase(), confidence["increase"].as_bool().unwrap(), "{name}");
    comparison.one("complexity", complexity(&map), &expect["complexity"]);

    for (key, kind) in [("deletion", Change::Deletion), ("insertion", Change::Insertion)] {
        let curve = change(&model, &image, class, &map, kind, integer(case, "pixels_per_step")).unwrap();
        comparison.all(key, &curve.probabilities, &numbers(&expect[key]["curve"]));
        comparison.one(key, curve.area, &expect[key]["auc"]);
    }
    comparison.picture("blurred", &blurred(&image).unwrap().i(0).unwrap(), &expect["blurred"]);

    let percentiles: Vec<u32> = numbers(&case["percentiles"]).into_iter().map(|value| value as u32).collect();
    let road = Road::of(&model, &image, class, &map, &percentiles, None).unwrap();
    let least: Vec<f64> = map.iter().map(|value| 1.0 - value).collect();
    for (key, relevance, after, mean) in [
        ("morf", &map, &road.most_relevant_first, road.morf()),
        ("lerf", &least, &road.least_relevant_first, road.lerf()),
    ] {
        let expect = &expect["road"][key];
        let counts: Vec<f64> = percentiles
            .iter()
            .map(|&percentile| kept(relevance, percentile).into_iter().filter(|stays| *stays).count() as f64)
            .collect();
        comparison.all(key, &counts, &numbers(&expect["kept"]));
        comparison.all(key, after, &numbers(&expect["probability"]));
        assert!((mean - number(expect, "average")).abs() <= tolerance * road.before, "{name}: {key} {mean}");
    }
    assert!(
        (road.combined() - number(&expect["road"], "combined")).abs() <= tolerance * road.before,
        "{name}"
    );
    let middle = kept(&map, percentiles[percentiles.len() / 2]);
    comparison.picture("imputed", &imputed(&image, &middle, None).unwrap().i(0).unwrap(), &expect["imputed"]);

    let mask = made_up_mask(&case["mask"], side);
    let single: Vec<f32> = map.iter().map(|value| *value as f32).collect();
    // The energy is summed over a map in single precision.
    comparison.tolerance = tolerance.max(1e-6);
    let energy = energy_in_mask(&single, side, side, &mask).unwrap().unwrap();
    comparison.one("energy in the mask", energy, &expect["energy_in_mask"]);
    comparison.one("chance", chance_level(&mask).unwrap(), &expect["chance_level"]);
    let hit = pointing_hit(&single, side, side, &mask).unwrap();
    assert_eq!(hit, expect["pointing_hit"].as_bool(), "{name}");
    println!("{}: worst relative error {:.1e}", comparison.case, comparison.worst);
    comparison.worst
}

/// `0.8·exp(-((r - row)² + (c - column)²) / (2σ²)) + 0.1·(1 + sin(0.7r + 0.3c))`.
fn made_up_map(map: &Value, side: usize) -> Vec<f64> {
    let [row, column, sigma] = ["row", "column", "sigma"].map(|key| number(map, key));
    let at = |pixel: usize| {
        let (r, c) = ((pixel / side) as f64, (pixel % side) as f64);
        let square = (r - row).powi(2) + (c - column).powi(2);
        0.8 * (-square / (2.0 * sigma * sigma)).exp() + 0.1 * (1.0 + (0.7 * r + 0.3 * c).sin())
    };
    (0..side * side).map(at).collect()
}

fn made_up_mask(mask: &Value, side: usize) -> GrayImage {
    let [row, column, radius] = ["row", "column", "radius"].map(|key| number(mask, key));
    GrayImage::from_fn(side as u32, side as u32, |x, y| {
        let square = (f64::from(y) - row).powi(2) + (f64::from(x) - column).powi(2);
        Luma([if square <= radius * radius { 255 } else { 0 }])
    })
}
