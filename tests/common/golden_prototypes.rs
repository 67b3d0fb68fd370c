//! Runs the golden cases of prototypes: ProtoPNet's parts made with its published code, calibration and fidelity by two formulas.

use candle_core::{D, DType, Device, Tensor};
use serde_json::Value;
use toalign::explain::knowledge::prototypes::{EPSILON, Prototypes, Seen, Weights};
use toalign::model::Model;
use toalign::model::resnet::Layer;
use toalign::nn::batch_norm::Mode;

use super::common::{unit, values};
use super::golden::{as_f64, case_model, images, integer, number, numbers};
use super::golden_maps::Comparison;

/// All numbers of a case, in `dtype`.
pub fn run_prototype_case(name: &str, case: &Value, dtype: DType, tolerance: f64) {
    let mut comparison = Comparison { case: format!("{name} in {dtype:?}"), tolerance, worst: 0.0 };
    let (model, seed, expect) =
        (case_model(case, dtype, &Device::Cpu), integer(case, "seed") as u64, &case["expect"]);
    let (classes, batch, side) = (integer(case, "classes"), integer(case, "batch"), integer(case, "image"));
    assert_eq!(number(case, "epsilon"), EPSILON, "{name}");
    let labels: Vec<u32> =
        unit(seed, "labels.0", batch).into_iter().map(|u| (u * classes as f64).floor() as u32).collect();
    let pictures = |domain: &str| images(seed, domain, batch, side, dtype, &Device::Cpu);
    let (source, columns) = seen(&model, &pictures("source.0"), Some(labels));
    let (target, _) = seen(&model, &pictures("target.0"), None);
    let both = |of: fn(&Seen) -> &Tensor| Tensor::cat(&[of(&source), of(&target)], 0).unwrap();
    let (map, logits) = (both(|one| &one.map), both(|one| &one.logits));
    comparison.all("feature logits", &as_f64(&logits), &numbers(&expect["feature_logits"]));

    let (count, places, channels) = (classes * integer(case, "per_class"), map.dims()[1], map.dims()[2]);
    let noise = number(case, "noise");
    let noise = Tensor::from_vec(
        values(seed, "prototypes", count * channels, -noise, noise),
        (count, channels),
        &Device::Cpu,
    );
    let patches: Vec<Tensor> = (0..count)
        .map(|prototype| map.get(prototype % (2 * batch)).unwrap().get((5 * prototype + 3) % places).unwrap())
        .collect();
    let points = (Tensor::stack(&patches, 0).unwrap() + noise.unwrap().to_dtype(dtype).unwrap()).unwrap();
    let prototypes = Prototypes::new(&points, classes).unwrap();

    let answer = prototypes.answer(&map).unwrap();
    comparison.all("least distances", &as_f64(&answer.distances), &numbers(&expect["least_distances"]));
    let of_file = numbers(&expect["row"]).into_iter().zip(numbers(&expect["column"]));
    let of_file: Vec<f64> = of_file.map(|(row, column)| row * columns as f64 + column).collect();
    assert_eq!(as_f64(&answer.places), of_file, "{name}");
    comparison.all("similarities", &as_f64(&answer.similarities), &numbers(&expect["similarities"]));
    comparison.all("prototype logits", &as_f64(&answer.logits), &numbers(&expect["prototype_logits"]));
    let agree = answer.logits.argmax(D::Minus1).unwrap().eq(&logits.argmax(D::Minus1).unwrap()).unwrap();
    let agreement = as_f64(&agree).iter().sum::<f64>() / (2 * batch) as f64;
    assert_eq!(agreement, number(expect, "agreement"), "{name}");

    let of = |key: &str| number(&case["coefficients"], key);
    let weights = Weights {
        calibration: of("calibration"),
        fidelity: of("fidelity"),
        cluster: of("cluster"),
        separation: of("separation"),
        others: of("l1"),
    };
    let costs = prototypes.costs(&source, &target, &weights).unwrap();
    for (key, cost) in [
        ("cross_entropy", &costs.cross_entropy),
        ("calibration", &costs.calibration),
        ("fidelity", &costs.fidelity),
        ("cluster", &costs.cluster),
        ("separation", &costs.separation),
        ("l1", &costs.others),
        ("loss", &costs.loss),
    ] {
        comparison.one(key, as_f64(cost)[0], &expect[key]);
    }
    let gradients = costs.loss.backward().unwrap();
    let slope = as_f64(gradients.get(&prototypes.points).unwrap());
    let expected = &expect["prototype_slope"];
    comparison.one("slope", slope.iter().map(|g| g * g).sum::<f64>().sqrt(), &expected["norm"]);
    comparison.all("slope", &slope[..8], &numbers(&expected["first"]));
    // A sum that cancels is judged by what was summed.
    let absolute: f64 = slope.iter().map(|g| g.abs()).sum();
    assert!((slope.iter().sum::<f64>() - number(expected, "sum")).abs() <= tolerance * absolute, "{name}");
    let of_rows = as_f64(gradients.get(&prototypes.rows).unwrap());
    comparison.all("slope of the rows", &of_rows, &numbers(&expect["row_slope"]));
    println!("{}: worst relative error {:.1e}", comparison.case, comparison.worst);
}

/// What the model makes of images, and how many columns its map has; without labels, its own answers are the classes.
fn seen(model: &Model, images: &Tensor, labels: Option<Vec<u32>>) -> (Seen, usize) {
    let map = model.backbone.feature_map(images, Layer::Layer4, Mode::Evaluation).unwrap();
    let logits = model.predict(images).unwrap();
    let classes = match labels {
        Some(labels) => Tensor::new(labels, &Device::Cpu).unwrap(),
        None => logits.argmax(D::Minus1).unwrap(),
    };
    let (pictures, rows, columns, channels) = map.dims4().unwrap();
    (Seen { map: map.reshape((pictures, rows * columns, channels)).unwrap(), logits, classes }, columns)
}
