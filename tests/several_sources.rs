//! Several sources at once: the loss, the balanced batches, and a run from the command line.

#[path = "common/close.rs"]
mod close;
#[path = "common/toy.rs"]
mod toy;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use candle_core::{DType, Device, Tensor, Var};
use close::{assert_close, numbers};
use image::RgbImage;
use toalign::Result;
use toalign::config::{Preset, RunConfig};
use toalign::data::batches::BatchLoader;
use toalign::data::dataset::{Domain, Pictures};
use toalign::data::folder;
use toalign::data::joined::join;
use toalign::data::transform::Transform;
use toalign::method::StepInput;
use toalign::method::alignment::Alignment;
use toalign::method::losses::{adversarial, adversarial_of_several_sources, softmax};
use toalign::mini_home;
use toalign::model::resnet::BackboneKind;
use toalign::model::{DiscriminatorInput, HeadKind, Model, ModelSpec};
use toalign::train::checkpoint::Checkpoint;
use toy::{complaint, toalign};

/// sin(start), sin(start + 1), …
fn wave(dims: &[usize], start: f64) -> Tensor {
    let values: Vec<f64> = (0..dims.iter().product()).map(|i| (start + i as f64).sin()).collect();
    Tensor::from_vec(values, dims, &Device::Cpu).unwrap()
}

/// A model of three classes without dropout whose discriminator has the values of the script below.
fn model(sources: usize) -> Model {
    let spec = ModelSpec {
        backbone: BackboneKind::Small,
        classes: 3,
        head: HeadKind::Linear,
        discriminator: Some(DiscriminatorInput::Probabilities),
        sources,
        hidden: 4,
        dropout: 0.0,
        dtype: DType::F64,
    };
    let model = Model::new(&spec, 1).unwrap();
    for (number, parameter) in model.discriminator().unwrap().parameters().iter().enumerate() {
        parameter.value.set(&wave(parameter.value.dims(), 10.0 * number as f64)).unwrap();
    }
    model
}

fn with_input<T>(run: impl FnOnce(&StepInput) -> T) -> T {
    let nothing = Tensor::zeros((1, 1), DType::F64, &Device::Cpu).unwrap();
    run(&StepInput {
        source_images: &nothing,
        source_labels: &nothing,
        target_images: None,
        reversal_coefficient: 0.4,
        seed: 1,
        step: 0,
    })
}

fn logits() -> [Var; 2] {
    [(3, 70.0), (2, 80.0)].map(|(n, start)| Var::from_tensor(&(wave(&[n, 3], start) * 2.0).unwrap()).unwrap())
}

/// The loss and its gradients with respect to the logits of source and target.
fn alignment(model: &Model, entropy_conditioning: bool) -> (f64, [Vec<f64>; 2]) {
    let alignment = Alignment {
        shown: toalign::method::shown::Shown::Feature,
        entropy_conditioning,
        weight: 1.0,
        statistics_updates: 1,
    };
    let [source, target] = logits();
    let seen = [softmax(&source).unwrap(), softmax(&target).unwrap()];
    let both = [&seen[0], &seen[1]];
    let loss = with_input(|input| alignment.loss(model, input, both, both)).unwrap();
    let gradients = loss.backward().unwrap();
    let of = |logits: &Var| numbers(gradients.get(logits).unwrap());
    (numbers(&loss)[0], [of(&source), of(&target)])
}

/// ```python
/// def wave(*shape, start):  # sin(start), sin(start + 1), ...
///     return torch.sin(start + torch.arange(float(torch.Size(shape).numel()))).reshape(shape)
///
/// def reverse(x, c):
///     x = x * 1.0
///     x.register_hook(lambda g: -c * g)
///     return x
///
/// torch.set_default_dtype(torch.float64)
/// D = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 2))
/// for start, (layer, value) in enumerate((l, v) for l in (0, 2, 4) for v in ("weight", "bias")):
///     getattr(D[layer], value).data = wave(*getattr(D[layer], value).shape, start=10.0 * start)
/// for entropy_conditioning in (True, False):
///     logits = [(2 * wave(n, 3, start=s)).requires_grad_() for n, s in ((3, 70.0), (2, 80.0))]
///     p = torch.cat([F.softmax(z, 1) for z in logits])
///     ce = F.cross_entropy(D(reverse(p, 0.4)), torch.tensor([1, 1, 1, 0, 0]), reduction="none")
///     w = torch.full((5,), 1 / 5)
///     if entropy_conditioning:
///         e = torch.exp(-reverse(-(p * torch.log(p + 1e-5)).sum(1), 0.4))
///         w = torch.cat([e[:3] / e[:3].sum().item(), e[3:] / e[3:].sum().item()])
///     loss = (w * ce).sum()
///     loss.backward()
///     print(loss.item(), *[z.grad.flatten().tolist() for z in logits])
/// ```
#[test]
fn the_loss_and_its_gradients_agree_with_pytorch() {
    let model = model(5);
    assert_eq!(model.discriminator().unwrap().outputs(), 2);
    let golden = [
        (
            true,
            2.7448376152820435,
            [
                -0.0038683381414824,
                0.0013525226366214568,
                0.002515815504860943,
                0.001297825653420261,
                0.001001858935305113,
                -0.0022996845887253738,
                -0.001676617252738252,
                -0.0002962070186170301,
                0.0019728242713552813,
            ],
            [
                0.07689258513433991,
                0.11098636897729874,
                -0.1878789541116386,
                -0.03180766262897675,
                -0.008684153531318349,
                0.04049181616029512,
            ],
        ),
        (
            false,
            1.1008134508015894,
            [
                -0.002382378640564023,
                0.0016080856644292356,
                0.0007742929761347876,
                0.0005249050380120442,
                5.6468075066916715e-05,
                -0.0005813731130789611,
                -0.001430527161266387,
                0.0006967144919982986,
                0.0007338126692680876,
            ],
            [
                -0.00280792203462115,
                -0.002542779965461331,
                0.005350702000082478,
                0.02089918316547021,
                -0.016043929989231733,
                -0.004855253176238477,
            ],
        ),
    ];
    for (entropy_conditioning, loss, of_source, of_target) in golden {
        let (found, [source, target]) = alignment(&model, entropy_conditioning);
        assert_close(&[found], &[loss], 1e-13);
        assert_close(&source, &of_source, 1e-14);
        assert_close(&target, &of_target, 1e-14);
    }
}

#[test]
fn one_output_is_the_case_in_which_the_target_scores_0() {
    let (one, two) = (model(1), model(2));
    let last = |model: &Model| model.discriminator().unwrap().parameters().split_off(4);
    for (one, two) in last(&one).iter().zip(last(&two)) {
        let both = Tensor::cat(&[&one.value.zeros_like().unwrap(), one.value.as_tensor()], 0).unwrap();
        two.value.set(&both).unwrap();
    }
    let seen = logits().map(|logits| softmax(&logits).unwrap());
    let weights = [wave(&[3], 1.0), wave(&[2], 1.0)];
    let (seen, weights) = ([&seen[0], &seen[1]], [&weights[0], &weights[1]]);
    let [one, two] = [one, two].map(|model| model.discriminator().unwrap().clone());
    let binary = with_input(|input| adversarial(&one, seen, weights, input)).unwrap();
    let several = with_input(|input| adversarial_of_several_sources(&two, seen, weights, input)).unwrap();
    // The published binary loss has ½, and 1e-8 inside its logarithms.
    assert_close(&numbers(&several), &[2.0 * numbers(&binary)[0]], 1e-6);
}

/// Grey pictures of 8×8 whose grey is their index.
struct Greys(usize);

impl Pictures for Greys {
    fn len(&self) -> usize {
        self.0
    }
    fn name(&self, index: usize) -> String {
        format!("picture {index} of {}", self.0)
    }
    fn label(&self, index: usize) -> u32 {
        index as u32 % 3
    }
    fn decode(&self, index: usize) -> Result<RgbImage> {
        Ok(RgbImage::from_fn(8, 8, |x, y| image::Rgb([index as u8, 20 * x as u8, 20 * y as u8])))
    }
}

fn three_sizes() -> Domain {
    let domain =
        |(name, count): (&str, usize)| Domain { name: name.into(), pictures: Arc::new(Greys(count)) };
    join([("Few", 2), ("Some", 5), ("Many", 12)].map(domain).to_vec())
}

fn loader(batch_size: usize, seed: u64, first: usize) -> BatchLoader {
    let transform = Transform { resize: None, pad: 3, crop: 8, flip: true };
    BatchLoader::new(three_sizes(), transform, batch_size, seed, "source", first, 0, &Device::Cpu).unwrap()
}

#[test]
fn an_epoch_shows_as_many_pictures_of_every_source() {
    let domain = three_sizes();
    assert_eq!((domain.name.as_str(), domain.pictures.parts()), ("Few+Some+Many", vec![2, 5, 12]));
    let names = [0, 1, 2, 6, 7, 18].map(|index| domain.pictures.name(index));
    let expected = ["0 of 2", "1 of 2", "0 of 5", "4 of 5", "0 of 12", "11 of 12"];
    assert_eq!(names, expected.map(|name| format!("picture {name}")));

    let mut again = Vec::new();
    for seed in [1, 2] {
        let mut loader = loader(4, seed, 0);
        assert_eq!(loader.batches_per_epoch(), 9);
        let mut epochs = Vec::new();
        for _epoch in 0..2 {
            let mut counts: BTreeMap<usize, usize> = BTreeMap::new();
            for _batch in 0..9 {
                loader
                    .next()
                    .unwrap()
                    .indices
                    .into_iter()
                    .for_each(|index| *counts.entry(index).or_default() += 1);
            }
            let part =
                |range: std::ops::Range<usize>| -> Vec<usize> { range.map(|index| counts[&index]).collect() };
            assert_eq!(part(0..2), [6, 6], "5 times 2 more, all of them");
            let some = part(2..7);
            assert_eq!(some.iter().sum::<usize>(), 12);
            assert!(some.iter().all(|count| (1..=3).contains(count)), "{some:?}");
            assert_eq!(part(7..19), [1; 12]);
            epochs.push(some);
        }
        assert_eq!(epochs[0], epochs[1], "what comes again is drawn once for the run");
        again.push(epochs.swap_remove(0));
    }
    assert_ne!(again[0], again[1], "and by the seed");
}

#[test]
fn batches_are_mixed_resume_anywhere_and_crop_what_comes_again_anew() {
    let content = |loader: &mut BatchLoader| {
        let batch = loader.next().unwrap();
        (batch.indices, batch.images.flatten_all().unwrap().to_vec1::<f32>().unwrap())
    };
    let (mut straight, mut resumed) = (loader(12, 1, 0), loader(12, 1, 5));
    let straight: Vec<_> = (0..7).map(|_| content(&mut straight)).collect();
    assert_eq!(straight[5..], [content(&mut resumed), content(&mut resumed)]);
    let sizes = |indices: &[usize]| -> [usize; 3] {
        [0..2, 2..7, 7..19].map(|part| indices.iter().filter(|index| part.contains(*index)).count())
    };
    assert!(straight.iter().all(|(indices, _)| !sizes(indices).contains(&12)), "one source alone");
    let mut crops: Vec<Vec<u32>> = Vec::new();
    for (indices, images) in &straight[..3] {
        let pictures =
            images.chunks(8 * 8 * 3).map(|picture| picture.iter().map(|value| value.to_bits()).collect());
        crops.extend(indices.iter().zip(pictures).filter(|(index, _)| **index == 0).map(|(_, crop)| crop));
    }
    assert_eq!(crops.len(), 6);
    crops.sort();
    crops.dedup();
    assert!(crops.len() > 3, "{} different crops of six", crops.len());
}

#[test]
fn every_data_set_understands_a_task_of_several_sources() {
    let found = mini_home::task("Pr+Ar+Clipart-Rw", &mini_home::Options::default()).unwrap();
    assert_eq!((found.name.as_str(), found.source.name.as_str()), ("Ar+Cl+Pr-Rw", "Art+Clipart+Product"));
    assert_eq!(found.source.pictures.parts(), [480, 480, 480]);
    let art = mini_home::task("Ar-Rw", &mini_home::Options::default()).unwrap();
    assert_eq!(found.source.pictures.decode(7).unwrap(), art.source.pictures.decode(7).unwrap());
    assert!(found.source.pictures.mask(500).unwrap().is_some());
    let twice =
        mini_home::task("Ar+Cl+Art-Rw", &mini_home::Options::default()).map(|task| task.name).unwrap_err();
    assert!(twice.to_string().contains("which is Art twice"), "{twice}");

    let place = tempfile::tempdir().unwrap();
    let root = three_domains(place.path());
    let found = folder::task(&root, "Ph+Ar-Re", &folder::Options::default()).unwrap();
    assert_eq!((found.name.as_str(), found.source.pictures.parts()), ("Ar+Ph-Re", vec![9, 3]));
    assert_eq!(found.classes.len(), 3);
    assert_eq!(found.source.pictures.label(11), 2);
    assert!(found.remarks.is_empty(), "{:?}", found.remarks);
    let message =
        complaint(place.path(), &train(&root, "Ar+Ph-Ar").iter().map(String::as_str).collect::<Vec<_>>());
    assert!(message.contains("--task: expected different domains, found 'Ar+Ph-Ar', twice Art"), "{message}");
}

/// The toy pictures, and a third domain of one picture a class.
fn three_domains(place: &Path) -> std::path::PathBuf {
    let root = toy::pictures(place, 3, 3);
    for class in 0..3 {
        let inside = root.join(format!("Photo/class{class}"));
        std::fs::create_dir_all(&inside).unwrap();
        std::fs::copy(root.join(format!("Real/class{class}/00002.png")), inside.join("1.png")).unwrap();
    }
    root
}

fn train(root: &Path, task: &str) -> Vec<String> {
    let data = format!("folder:{}", root.display());
    let arguments =
        ["train", "--preset", "mini", "--data", &data, "--task", task, "--method", "hda", "--toalign"];
    let length = [
        "--steps",
        "4",
        "--test-every",
        "2",
        "--checkpoint-every",
        "2",
        "--log-every",
        "1",
        "--weights",
        "none",
    ];
    let sizes = [
        "--batch-size",
        "6",
        "--target-batch-size",
        "3",
        "--discriminator-hidden",
        "8",
        "--source-test-pictures",
        "2",
    ];
    [&arguments[..], &length, &sizes].concat().into_iter().map(str::to_owned).collect()
}

#[test]
fn a_run_from_two_sources_resumes_to_the_bit() {
    let place = tempfile::tempdir().unwrap();
    let root = three_domains(place.path());
    let arguments = train(&root, "Ph+Ar-Re");
    let run = |out: &str, resume: bool| {
        let mut arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        arguments.extend(["--out", out]);
        arguments.extend(resume.then_some("--resume"));
        let output = toalign(place.path(), &arguments);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        place.path().join(out).join("toy3x3/Ar+Ph-Re/hda+toalign/0")
    };
    let straight = run("straight", false);
    let interrupted = run("interrupted", false);
    // As after a kill behind the first checkpoint: what was saved at step 2 stands in the best of the first test.
    let best = Checkpoint::load(&interrupted.join("best.safetensors")).unwrap();
    assert!([2, 4].contains(&best.header.progress.step));
    assert_eq!(best.tensors["d_net.ad_layer3.weight"].dims(), [2, 8]);
    let stopped = place.path().join("stopped/toy3x3/Ar+Ph-Re/hda+toalign/0");
    stop_after_two_steps(&root, &stopped, place.path());
    let resumed = run("stopped", true);
    assert_eq!(resumed, stopped);
    let values = |run: &Path| -> BTreeMap<String, Vec<u32>> {
        let tensors = Checkpoint::load(&run.join("last.safetensors")).unwrap().tensors;
        let bits = |tensor: Tensor| tensor.flatten_all().unwrap().to_vec1::<f32>().unwrap();
        tensors
            .into_iter()
            .map(|(name, tensor)| (name, bits(tensor).into_iter().map(f32::to_bits).collect()))
            .collect()
    };
    let (straight_values, resumed_values) = (values(&straight), values(&resumed));
    assert_eq!(straight_values.len(), resumed_values.len());
    for (name, bits) in &straight_values {
        assert!(*bits == resumed_values[name], "{name} differs");
    }

    let at = straight.strip_prefix(place.path()).unwrap().display().to_string();
    let output = toalign(place.path(), &["eval", "--run", &at]);
    let table = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        table.contains("Art+Photo (source)         4 ") && table.contains("Real (target)              9 "),
        "{table}"
    );
    let output = toalign(place.path(), &["predict", "toy3x3/Real/class0/00000.png", "--run", &at]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// The same run as [`train`]'s, stopped after its second step.
fn stop_after_two_steps(root: &Path, run: &Path, place: &Path) {
    use toalign::config::{DataSource, Weights};
    use toalign::runs::session::Session;
    use toalign::train::observer::StopAfter;
    let config = RunConfig {
        data: DataSource::Folder(root.to_owned()),
        task: "Ar+Ph-Re".into(),
        method: "hda".parse().unwrap(),
        toalign: true,
        steps: 4,
        test_every: 2,
        checkpoint_every: 2,
        log_every: 1,
        weights: Weights::None,
        batch_size: 6,
        target_batch_size: Some(3),
        discriminator_hidden: 8,
        source_test_pictures: Some(2),
        ..RunConfig::mini()
    };
    let outcome = Session::new(config.check().unwrap())
        .unwrap()
        .run_in(&place.join("stopped"), false, &mut [&mut StopAfter(2)])
        .unwrap();
    assert_eq!((outcome.summary.step, outcome.folder.as_path()), (2, run));
}

#[test]
fn the_published_numbers_are_presets() {
    let domain_net = Preset::DomainNet.config();
    assert_eq!((domain_net.batch_size, domain_net.target_batch(), domain_net.steps), (80, 16, 50_000));
    assert_eq!((domain_net.learning_rate, domain_net.test_every), (3e-4, 2000));
    assert_eq!(domain_net.source_test_pictures, Some(2000));
    assert_eq!(domain_net.backbone, BackboneKind::ResNet101);
    let slides = Preset::Slides.config();
    assert_eq!(
        (slides.method_name().as_str(), slides.batch_size, slides.target_batch()),
        ("hda+toalign", 15, 15)
    );
    assert_eq!(
        (slides.steps, slides.seed, slides.learning_rate_gamma, slides.weight_decay),
        (8000, 123, 10.0, 5e-4)
    );
    // What the log of the slides counts: 291 batches of Clipart, 162 of Art.
    let batches = |pictures: usize| pictures.div_ceil(slides.test_batch_size);
    assert_eq!((batches(4365), batches(2427)), (291, 162));
    for preset in [domain_net, slides] {
        preset.check().unwrap();
    }
}
