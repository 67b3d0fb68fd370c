use candle_core::{DType, Device, Tensor};
use std::time::Instant;
use toalign::method::{Method, StepInput, alignment, hda};
use toalign::model::{DiscriminatorInput, HeadKind, Model, ModelSpec, resnet};
fn main() {
    let a: Vec<String> = std::env::args().collect();
    let (name, batch, image, steps) = (
        a[1].as_str(),
        a[2].parse::<usize>().unwrap(),
        a[3].parse::<usize>().unwrap(),
        a[4].parse::<usize>().unwrap(),
    );
    let kind = resnet::BackboneKind::NAMES
        .iter()
        .find(|(n, _)| *n == name)
        .unwrap()
        .1;
    let al = alignment::Alignment {
        toalign: true,
        entropy_conditioning: true,
        weight: 1.0,
    };
    let m = hda::Hda { alignment: al };
    let spec = ModelSpec {
        backbone: kind,
        classes: if name == "small" { 12 } else { 65 },
        head: HeadKind::Heuristic,
        discriminator: Some(DiscriminatorInput::Probabilities),
        hidden: if name == "small" { 256 } else { 1024 },
        dropout: 0.5,
        dtype: DType::F32,
    };
    let model = Model::new(&spec, 0).unwrap();
    let mut sgd = toalign::nn::sgd::Sgd::new(
        model.parameters(),
        toalign::nn::sgd::SgdSettings {
            momentum: 0.9,
            nesterov: true,
            weight_decay: 5e-4,
        },
    )
    .unwrap();
    let xs = Tensor::randn(0f32, 1., (batch, image, image, 3), &Device::Cpu).unwrap();
    let xt = Tensor::randn(0f32, 1., (batch, image, image, 3), &Device::Cpu).unwrap();
    let y = Tensor::zeros(batch, DType::U32, &Device::Cpu).unwrap();
    let mut t = vec![];
    for s in 0..steps {
        let t0 = Instant::now();
        let i = StepInput {
            source_images: &xs,
            source_labels: &y,
            target_images: Some(&xt),
            reversal_coefficient: 0.8,
            seed: 0,
            step: s,
        };
        let l = m.losses(&model, &i).unwrap();
        let f = t0.elapsed();
        let g = l.total.backward().unwrap();
        let b = t0.elapsed();
        sgd.step(
            &g,
            &toalign::nn::sgd::GroupRates {
                backbone: 1e-3,
                head: 1e-2,
                discriminator: 1e-2,
            },
        )
        .unwrap();
        t.push((t0.elapsed(), f, b - f, t0.elapsed() - b));
    }
    t.sort();
    println!("{name} {:?}", t[t.len() / 2]);
}
