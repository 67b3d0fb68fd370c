//! The golden cases: training steps and Grad-CAM maps that agree with the authors' code to 1e-9 in f64.
//!
//! Every case runs in f32, as we train, at the tolerance that its README gives, and in f64, where nothing but the
//! formulas counts, at 1e-8; some run once more with the operations that a GPU uses in place of our own loops.
//! `cargo test --test fidelity -- --nocapture` prints the worst error of each.

mod common;
#[path = "common/golden.rs"]
mod golden;
#[path = "common/golden_maps.rs"]
mod golden_maps;
#[path = "common/golden_prototypes.rs"]
mod golden_prototypes;

use candle_core::{DType, Device, Tensor};
use common::{cases, cases_of_a_later_kind};
use golden::{as_f64, images, run_cam_case, run_step_case, tolerance};
use golden_maps::{run_explain_case, run_measure_case};
use golden_prototypes::run_prototype_case;
use toalign::model::resnet::BackboneKind;
use toalign::model::{HeadKind, Model, ModelSpec};
use toalign::nn::batch_norm::Mode;
use toalign::nn::composed;
use toalign::nn::parameters::{FileLayout, Parameter, Role};

#[test]
fn steps_agree_in_single_precision() {
    for (name, case) in cases("step_") {
        run_step_case(&name, &case, DType::F32, tolerance(&case), &Device::Cpu);
    }
}

#[test]
fn steps_agree_in_double_precision() {
    for (name, case) in cases("step_") {
        run_step_case(&name, &case, DType::F64, 1e-8, &Device::Cpu);
    }
}

#[test]
fn grad_cam_agrees() {
    for (name, case) in cases("cam_") {
        run_cam_case(&name, &case, DType::F32, 1e-4, &Device::Cpu);
        run_cam_case(&name, &case, DType::F64, 1e-9, &Device::Cpu);
    }
}

#[test]
fn every_heat_map_agrees() {
    for (name, case) in cases_of_a_later_kind("explain_") {
        run_explain_case(&name, &case, DType::F32, 1e-4);
        run_explain_case(&name, &case, DType::F64, 1e-9);
    }
}

#[test]
fn every_measure_of_a_map_agrees() {
    for (name, case) in cases_of_a_later_kind("measure_") {
        run_measure_case(&name, &case, DType::F32, 1e-4);
        run_measure_case(&name, &case, DType::F64, 1e-9);
    }
}

#[test]
fn prototypes_and_their_costs_agree() {
    for (name, case) in cases_of_a_later_kind("prototype_") {
        run_prototype_case(&name, &case, DType::F32, 1e-4);
        run_prototype_case(&name, &case, DType::F64, 1e-9);
    }
}

#[test]
fn the_operations_of_a_gpu_agree_too() {
    composed::everywhere(|| {
        // Those with ToAlign on a ResNet-18: the others share its operations, and candle's convolutions are slow.
        let all = cases("step_").into_iter();
        for (name, case) in all.filter(|(_, case)| case["toalign"] == true && case["backbone"] == "resnet18")
        {
            run_step_case(&format!("{name}, composed"), &case, DType::F64, 1e-8, &Device::Cpu);
        }
        for (name, case) in cases("cam_") {
            run_cam_case(&format!("{name}, composed"), &case, DType::F64, 1e-9, &Device::Cpu);
        }
    });
}

#[test]
fn each_backbone_has_the_statistics_of_its_batches_only_once() {
    let spec = ModelSpec {
        backbone: BackboneKind::Small,
        classes: 3,
        head: HeadKind::Linear,
        discriminator: None,
        sources: 1,
        hidden: 0,
        dropout: 0.0,
        dtype: DType::F64,
    };
    let model = Model::new(&spec, 1).unwrap();
    let statistics = || -> Vec<f64> {
        let parameters = model.parameters();
        parameters.iter().filter(|p| p.role == Role::Statistic).flat_map(|p| as_f64(&p.value)).collect()
    };
    let before = statistics();
    let image = images(1, "image", 2, 16, DType::F64, &Device::Cpu);
    model.backbone.forward(&image, Mode::Evaluation).unwrap();
    assert_eq!(statistics(), before);
    model.backbone.forward(&image, Mode::Training { statistics_updates: 1 }).unwrap();
    assert_ne!(statistics(), before);
}

#[test]
fn kernels_travel_to_files_and_back() {
    let kernel =
        Tensor::arange(0f32, 2.0 * 3.0 * 4.0 * 5.0, &Device::Cpu).unwrap().reshape((2, 3, 4, 5)).unwrap();
    let parameter = Parameter {
        name: "kernel".into(),
        value: candle_core::Var::from_tensor(&kernel).unwrap(),
        role: Role::Statistic,
        layout: FileLayout::Kernel,
    };
    let stored = parameter.to_file().unwrap();
    assert_eq!(stored.dims(), [2, 5, 3, 4]);
    assert_eq!(parameter.file_shape(), [2, 5, 3, 4]);
    parameter.value.set(&kernel.zeros_like().unwrap()).unwrap();
    parameter.set_from_file(&stored).unwrap();
    assert_eq!(as_f64(&parameter.value), as_f64(&kernel));
}
