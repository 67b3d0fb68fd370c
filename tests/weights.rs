//! Weights travel: the same numbers in candle's own ResNet, in files of ours, and out of files of PyTorch.
//!
//! The files under `tests/weights` were made by PyTorch 2.15 with this script; every number in them is `0.25 · i + n`
//! for element i of the n-th tensor, so that a wrong order shows:
//!
//! ```python
//! import torch, collections
//! def filled(net):
//!     for n, t in enumerate(net.state_dict().values()):
//!         t.copy_((torch.arange(t.numel()).view(t.shape) * 0.25 + n).to(t.dtype))
//!     return net
//! net = filled(torch.nn.Sequential(collections.OrderedDict(conv1=torch.nn.Conv2d(2, 3, (1, 2), bias=False),
//!                                                          bn1=torch.nn.BatchNorm2d(3), fc=torch.nn.Linear(3, 2))))
//! d_net = filled(torch.nn.Sequential(collections.OrderedDict(ad_layer1=torch.nn.Linear(2, 2))))
//! state = net.state_dict()
//! ```
//!
//! Each test begins with the line that wrote its file.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::collections::HashMap;
use std::path::{Path, PathBuf};

use candle_core::{DType, Device, Module, Tensor};
use candle_nn::VarBuilder;
use rand::Rng;
use toalign::model::resnet::{BackboneKind, ResNet};
use toalign::model::weights::{self, NamedTensors, Notes};
use toalign::model::{DiscriminatorInput, HeadKind, Model, ModelSpec};
use toalign::nn::batch_norm::Mode;
use toalign::nn::parameters::{Parameter, Role};
use toalign::random::generator;

/// The system's allocator; remembers the largest piece that this thread asked for.
struct Watched;

thread_local! {
    static LARGEST: Cell<usize> = const { Cell::new(0) };
}

// SAFETY: passes every call on unchanged.
unsafe impl GlobalAlloc for Watched {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        note(layout.size());
        unsafe { System.alloc(layout) }
    }
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        note(layout.size());
        unsafe { System.alloc_zeroed(layout) }
    }
    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        note(size);
        unsafe { System.realloc(pointer, layout, size) }
    }
    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        unsafe { System.dealloc(pointer, layout) }
    }
}

fn note(size: usize) {
    let _ = LARGEST.try_with(|largest| largest.set(largest.get().max(size)));
}

#[global_allocator]
static ALLOCATOR: Watched = Watched;

fn fixture(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/weights").join(name)
}

/// Random running statistics and scales, so that a batch norm that is skipped or mixed up shows.
fn stir(parameters: &[Parameter]) {
    for (number, parameter) in parameters.iter().enumerate() {
        let vector = parameter.value.dims().len() == 1;
        if vector || parameter.role == Role::Statistic {
            let mut stream = generator(5, "stir", number as u64, 0);
            let values: Vec<f32> =
                (0..parameter.value.elem_count()).map(|_| stream.random_range(0.5..1.5)).collect();
            let values = Tensor::new(values, &Device::Cpu).expect("a tensor");
            parameter.set_from_file(&values).expect("the same shape");
        }
    }
}

fn stirred(kind: BackboneKind) -> ResNet {
    let backbone = ResNet::new(kind, DType::F32, &mut generator(1, "backbone", 0, 0)).expect("a network");
    stir(&backbone.parameters());
    backbone
}

fn small_model(classes: usize, seed: u64) -> Model {
    let spec = ModelSpec {
        backbone: BackboneKind::Small,
        classes,
        head: HeadKind::Heuristic,
        discriminator: Some(DiscriminatorInput::Probabilities),
        sources: 1,
        hidden: 16,
        dropout: 0.5,
        dtype: DType::F32,
    };
    let model = Model::new(&spec, seed).expect("a model");
    stir(&model.parameters());
    model
}

fn numbers(tensor: &Tensor) -> Vec<f64> {
    tensor
        .to_dtype(DType::F64)
        .and_then(|tensor| tensor.flatten_all())
        .and_then(|tensor| tensor.to_vec1())
        .expect("numbers")
}

/// The largest difference over the largest value.
fn relative_difference(ours: &Tensor, theirs: &Tensor) -> f64 {
    let (ours, theirs) = (numbers(ours), numbers(theirs));
    assert_eq!(ours.len(), theirs.len());
    let largest = theirs.iter().fold(0f64, |largest, x| largest.max(x.abs()));
    assert!(largest > 1e-3, "features too small to compare: {largest}");
    let difference = ours.iter().zip(&theirs).map(|(a, b)| (a - b).abs());
    difference.fold(0f64, f64::max) / largest
}

/// Our feature and candle's on the same weights and pictures.
fn compare_with_candle(
    kind: BackboneKind,
    candles: for<'a> fn(VarBuilder<'a>) -> candle_core::Result<candle_nn::Func<'a>>,
) {
    let ours = stirred(kind);
    let tensors: HashMap<String, Tensor> =
        weights::named(&ours.parameters()).expect("tensors").into_iter().collect();
    let theirs = candles(VarBuilder::from_tensors(tensors, DType::F32, &Device::Cpu))
        .expect("candle finds every tensor by its name");
    let mut stream = generator(2, "pictures", 0, 0);
    let pixels: Vec<f32> = (0..2 * 3 * 64 * 64).map(|_| stream.random_range(-2.0..2.0)).collect();
    let pictures = Tensor::from_vec(pixels, (2, 3, 64, 64), &Device::Cpu).expect("pictures");
    let nhwc = pictures.permute((0, 2, 3, 1)).and_then(|pictures| pictures.contiguous()).expect("pictures");
    let ours = ours.forward(&nhwc, Mode::Evaluation).expect("a feature");
    let theirs = theirs.forward(&pictures).expect("a feature");
    assert_eq!(ours.dims(), [2, kind.channels()]);
    let difference = relative_difference(&ours, &theirs);
    println!("{}: relative difference {difference:.2e}", kind.name());
    assert!(difference < 1e-5, "{difference}");
}

#[test]
fn resnet18_agrees_with_candle() {
    compare_with_candle(BackboneKind::ResNet18, candle_transformers::models::resnet::resnet18_no_final_layer);
}

#[test]
fn resnet50_agrees_with_candle() {
    compare_with_candle(BackboneKind::ResNet50, candle_transformers::models::resnet::resnet50_no_final_layer);
}

fn written(folder: &Path, model: &Model, notes: Notes) -> PathBuf {
    let path = folder.join("model.safetensors");
    let tensors = weights::named(&model.parameters()).expect("tensors");
    let bytes = weights::to_bytes(&tensors, notes).expect("bytes");
    std::fs::write(&path, bytes).expect("a file");
    path
}

#[test]
fn safetensors_come_back_bit_for_bit() {
    let folder = tempfile::tempdir().expect("a folder");
    let notes = Notes::from([
        ("best_acc".to_owned(), "76.3".to_owned()),
        ("task".to_owned(), "Clipart → Real World".to_owned()),
    ]);
    let first = small_model(12, 1);
    let path = written(folder.path(), &first, notes.clone());
    let (tensors, read_notes) = weights::read_with_notes(&path).expect("a file");
    assert_eq!(read_notes, notes);
    let second = small_model(12, 2);
    weights::load(&second.parameters(), &tensors, &path).expect("the same model");
    let (first, second) = (first.parameters(), second.parameters());
    assert_eq!(tensors.len(), first.len());
    assert!(first.iter().any(|one| one.name == "d_net.ad_layer3.bias"));
    for (one, other) in first.iter().zip(&second) {
        let bits = |parameter: &Parameter| -> Vec<u32> {
            let flat = parameter.value.flatten_all().expect("a tensor");
            let values: Vec<f32> = flat.to_vec1().expect("numbers");
            values.into_iter().map(f32::to_bits).collect()
        };
        assert_eq!(one.name, other.name);
        assert_eq!(bits(one), bits(other), "{}", one.name);
    }
}

#[test]
fn a_kernel_lies_in_the_file_as_pytorch_has_it() {
    let model = small_model(12, 1);
    let parameters = model.parameters();
    let kernel = parameters
        .iter()
        .find(|parameter| parameter.name == "base_net.layer2.0.conv1.weight")
        .expect("a kernel");
    let stored = kernel.to_file().expect("a tensor");
    assert_eq!(kernel.value.dims(), [32, 3, 3, 16]);
    assert_eq!(stored.dims(), [32, 16, 3, 3]);
    let at = |tensor: &Tensor, index: [usize; 4]| numbers(tensor)[flat(tensor.dims(), index)];
    assert_eq!(at(kernel.value.as_tensor(), [5, 0, 2, 7]), at(&stored, [5, 7, 0, 2]));
}

fn flat(dims: &[usize], index: [usize; 4]) -> usize {
    let steps = dims.iter().zip(index);
    steps.fold(0, |position, (extent, place)| position * extent + place)
}

/// What `filled(net).state_dict()` holds, by name: shape and first value; element i is 0.25 · i more.
const NETWORK: [(&str, &[usize], f64); 8] = [
    ("conv1.weight", &[3, 2, 1, 2], 0.0),
    ("bn1.weight", &[3], 1.0),
    ("bn1.bias", &[3], 2.0),
    ("bn1.running_mean", &[3], 3.0),
    ("bn1.running_var", &[3], 4.0),
    ("bn1.num_batches_tracked", &[], 5.0),
    ("fc.weight", &[2, 3], 6.0),
    ("fc.bias", &[2], 7.0),
];

fn assert_holds_network(tensors: &NamedTensors, prefix: &str, dtype: DType) {
    for (name, dims, first) in NETWORK {
        let tensor = &tensors[&format!("{prefix}{name}")];
        let expected: Vec<f64> = (0..tensor.elem_count()).map(|i| first + 0.25 * i as f64).collect();
        assert_eq!(tensor.dims(), dims, "{name}");
        assert_eq!(numbers(tensor), expected, "{name}");
        let whole_number = name.ends_with("num_batches_tracked");
        assert_eq!(tensor.dtype(), if whole_number { DType::I64 } else { dtype });
    }
}

#[test]
fn a_file_of_torchvision_opens() {
    // torch.save(state, "torchvision.pth")
    let (tensors, notes) = weights::read_with_notes(&fixture("torchvision.pth")).expect("a PyTorch file");
    assert_holds_network(&tensors, "", DType::F32);
    assert_eq!(tensors.len(), NETWORK.len());
    assert!(notes.is_empty(), "{notes:?}");
}

#[test]
fn a_checkpoint_of_the_published_code_opens() {
    // sgd = torch.optim.SGD([{"params": net.parameters(), "lr_mult": 1}, {"params": d_net.parameters(), "lr_mult": 10}],
    //                       lr=1e-3, momentum=0.9, weight_decay=5e-4, nesterov=True)
    // for p in [*net.parameters(), *d_net.parameters()]: p.grad = torch.zeros_like(p)
    // sgd.step()  # fills the momentum buffers
    // filled(net), filled(d_net)
    // torch.save({"optimizer": sgd.state_dict(), "ite": 70000, "best_acc": 76.34580373764038,
    //             "base_net": net.state_dict(), "d_net": d_net.state_dict()}, "published.pt")
    let (tensors, notes) = weights::read_with_notes(&fixture("published.pt")).expect("a PyTorch file");
    assert_holds_network(&tensors, "base_net.", DType::F32);
    assert_eq!(numbers(&tensors["d_net.ad_layer1.weight"]), [0.0, 0.25, 0.5, 0.75]);
    assert_eq!(numbers(&tensors["d_net.ad_layer1.bias"]), [1.0, 1.25]);
    assert_eq!(tensors.len(), NETWORK.len() + 2);
    let expected = [("best_acc", "76.34580373764038"), ("ite", "70000")];
    assert_eq!(notes, expected.map(|(key, value)| (key.to_owned(), value.to_owned())).into());
}

#[test]
fn the_prefix_of_data_parallel_is_taken_off() {
    // torch.save(torch.nn.DataParallel(net).state_dict(), "data_parallel.pth")
    let tensors = weights::read(&fixture("data_parallel.pth")).expect("a PyTorch file");
    assert_holds_network(&tensors, "", DType::F32);
    assert_eq!(tensors.len(), NETWORK.len());
}

#[test]
fn a_state_dict_inside_a_wrapper_opens() {
    // torch.save({"epoch": 90, "arch": "resnet50", "state_dict": torch.nn.DataParallel(net).state_dict(),
    //             "best_acc1": torch.tensor(76.5)}, "wrapped.pth.tar")
    let (tensors, notes) = weights::read_with_notes(&fixture("wrapped.pth.tar")).expect("a PyTorch file");
    assert_holds_network(&tensors, "", DType::F32);
    assert_eq!(numbers(&tensors["best_acc1"]), [76.5]);
    assert_eq!(notes["epoch"], "90");
    assert_eq!(notes["arch"], "resnet50");
}

#[test]
fn half_precision_opens() {
    // half = collections.OrderedDict((k, v.half() if v.is_floating_point() else v) for k, v in state.items())
    // torch.save(half, "half.pth")
    let tensors = weights::read(&fixture("half.pth")).expect("a PyTorch file");
    assert_holds_network(&tensors, "", DType::F16);
}

#[test]
fn views_of_storages_come_in_the_order_of_their_shape() {
    // both = torch.arange(24.).view(4, 6)
    // torch.save({"channels_last": torch.arange(24.).view(1, 2, 3, 4).contiguous(memory_format=torch.channels_last),
    //             "transposed": both.t(), "slice": both[1:3, 2:5], "parameter": torch.nn.Parameter(torch.tensor(3.5)),
    //             "scalar": torch.tensor(7), "empty": torch.zeros(0, 3),
    //             "bfloat": torch.tensor([1.5, -2.0], dtype=torch.bfloat16),
    //             "int": torch.tensor([1, -2], dtype=torch.int32), "mask": torch.tensor([True])}, "views.pth")
    let tensors = weights::read(&fixture("views.pth")).expect("a PyTorch file");
    let up: Vec<f64> = (0..24).map(f64::from).collect();
    assert_eq!(tensors["channels_last"].dims(), [1, 2, 3, 4]);
    assert_eq!(numbers(&tensors["channels_last"]), up);
    assert_eq!(tensors["transposed"].dims(), [6, 4]);
    assert_eq!(numbers(&tensors["transposed"])[..6], [0., 6., 12., 18., 1., 7.]);
    assert_eq!(numbers(&tensors["slice"]), [8., 9., 10., 14., 15., 16.]);
    assert_eq!(numbers(&tensors["parameter"]), [3.5]);
    assert_eq!(numbers(&tensors["scalar"]), [7.0]);
    assert_eq!(tensors["empty"].dims(), [0, 3]);
    assert_eq!(numbers(&tensors["bfloat"]), [1.5, -2.0]);
    assert_eq!(numbers(&tensors["int"]), [1.0, -2.0]);
    assert!(!tensors.contains_key("mask"), "no network has truth values");
}

fn message(path: &Path) -> String {
    weights::read(path).expect_err("a bad file").to_string()
}

fn assert_says(message: &str, parts: &[&str]) {
    for part in parts {
        assert!(message.contains(part), "no '{part}' in: {message}");
    }
}

#[test]
fn pytorch_files_without_weights_say_what_to_do() {
    // torch.save(state, "before_1_6.pth", _use_new_zipfile_serialization=False)
    let old = message(&fixture("before_1_6.pth"));
    assert_says(&old, &["before_1_6.pth", "version 1.6", "torch.save(torch.load("]);
    // torch.save(net, "whole_network.pth")
    let whole = message(&fixture("whole_network.pth"));
    assert_says(&whole, &["whole_network.pth", "model.state_dict()"]);
}

#[test]
fn files_of_other_kinds_are_told_apart() {
    let folder = tempfile::tempdir().expect("a folder");
    let say = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).expect("a file");
        message(&path)
    };
    let page = say("page.pth", b"<!DOCTYPE html><html>404</html>");
    assert_says(&page, &["page.pth: expected", "31 bytes that are neither"]);
    assert_says(&say("empty.pt", b""), &["0 bytes that are neither"]);
    let huge = say("huge.safetensors", &[&(1u64 << 60).to_le_bytes()[..], b"{}"].concat());
    assert_says(&huge, &["10 bytes", "complete safetensors", "fetch or copy"]);
    // An archive with one empty entry "a".
    let mut zip = b"PK\x03\x04\x0a\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01\0\0\0a".to_vec();
    zip.extend(b"PK\x01\x02\x0a\0\x0a\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01\0");
    zip.extend([0; 16]);
    zip.extend(b"aPK\x05\x06\0\0\0\0\x01\0\x01\0\x2f\0\0\0\x1f\0\0\0\0\0");
    let zip = say("archive.pth", &zip);
    assert_says(&zip, &["archive.pth", "a zip archive without data.pkl"]);
    let missing = message(&folder.path().join("none.pth"));
    assert_says(&missing, &["cannot read", "none.pth", "check the spelling"]);
    let folder = message(folder.path());
    assert_says(&folder, &["cannot read"]);
}

#[test]
fn a_file_of_another_network_names_the_tensor() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = written(folder.path(), &small_model(12, 1), Notes::new());
    let tensors = weights::read(&path).expect("a file");

    let more_classes = small_model(31, 1);
    let before = numbers(more_classes.parameters()[0].value.as_tensor());
    let other = small_model(31, 9).parameters();
    let error = weights::load(&other, &tensors, &path).expect_err("12 classes are not 31");
    assert_says(
        &error.to_string(),
        &[
            "model.safetensors: expected 'base_net.fc.weight' of shape [31, 128], found shape [12, 128]",
            "another number of classes",
        ],
    );
    let untouched = small_model(31, 9).parameters();
    assert_eq!(numbers(other[0].value.as_tensor()), numbers(untouched[0].value.as_tensor()));
    assert_ne!(numbers(other[0].value.as_tensor()), before);

    let backbone = stirred(BackboneKind::ResNet18).parameters();
    let error = weights::load_backbone(&backbone, &path).expect_err("small is not resnet18");
    assert_says(
        &error.to_string(),
        &["expected weights of resnet18 (2 + 2 + 2 + 2 blocks", "found those of small (1 + 1 + 1 + 1 blocks"],
    );
    let error = weights::load_backbone(&backbone, &fixture("torchvision.pth"));
    assert_says(
        &error.expect_err("a toy network").to_string(),
        &["torchvision.pth: expected a residual network by torchvision's names", "8 tensors named otherwise"],
    );
    let mut without = tensors.clone();
    without.remove("base_net.layer4.0.bn2.running_var");
    let error = weights::load(&small_model(12, 1).parameters(), &without, &path);
    assert_says(
        &error.expect_err("one is missing").to_string(),
        &["'base_net.layer4.0.bn2.running_var' of shape [128]", "no tensor of that name among its"],
    );
}

#[test]
fn a_file_that_is_cut_off_says_so() {
    let folder = tempfile::tempdir().expect("a folder");
    let whole = written(folder.path(), &small_model(12, 1), Notes::new());
    for (source, kind) in [
        (whole, "safetensors"),
        (fixture("published.pt"), "PyTorch"),
        (fixture("torchvision.pth"), "PyTorch"),
    ] {
        let bytes = std::fs::read(&source).expect("a file");
        let path = folder.path().join(format!("cut.{kind}"));
        let lengths = [16, 17, 100, bytes.len() / 3, bytes.len() / 2, bytes.len() - 1];
        for length in lengths {
            std::fs::write(&path, &bytes[..length]).expect("a file");
            let message = message(&path);
            let expected = format!("a complete {kind} file, found {length} bytes");
            assert_says(&message, &[&expected, "fetch or copy the file again"]);
        }
    }
}

/// The most that reading a file of a few KB may ask for at once. The backtraces of candle's errors, where they are
/// switched on, need 6 MB; what damaged lengths claim goes up to 2⁶⁴.
const REASONABLE: usize = 1 << 24;

/// Reads 3,000 damaged copies; returns how many were still readable.
fn read_damaged(bytes: &[u8], region: std::ops::Range<usize>, path: &Path) -> usize {
    let mut readable = 0;
    for round in 0..3000 {
        let mut stream = generator(3, "damage", round, 0);
        let mut damaged = bytes.to_vec();
        for _ in 0..stream.random_range(1..4) {
            let place = stream.random_range(region.clone());
            damaged[place] = stream.random();
        }
        if stream.random_range(0..8) == 0 {
            damaged.truncate(stream.random_range(0..bytes.len()));
        }
        std::fs::write(path, &damaged).expect("a file");
        LARGEST.set(0);
        let outcome = std::panic::catch_unwind(|| weights::read_with_notes(path));
        assert!(LARGEST.get() < REASONABLE, "round {round}: {} bytes", LARGEST.get());
        match outcome {
            Err(_) => panic!("round {round} panicked"),
            Ok(Ok((tensors, _))) => {
                // Whatever was read can be converted or is refused, and is never more than the file.
                let total: usize = tensors.values().map(Tensor::elem_count).sum();
                assert!(total <= 2 * bytes.len(), "round {round}: {total} elements");
                readable += 1;
            }
            Ok(Err(error)) => assert!(error.to_string().contains("what to do"), "{error}"),
        }
    }
    readable
}

#[test]
fn damaged_safetensors_never_panic() {
    let folder = tempfile::tempdir().expect("a folder");
    let names = ["conv1.weight", "bn1.bias", "fc.weight"];
    let tensors = names.map(|name| {
        let values = Tensor::arange(0f32, 12., &Device::Cpu).and_then(|all| all.reshape((3, 4)));
        (name.to_owned(), values.expect("a tensor"))
    });
    let notes = Notes::from([("ite".to_owned(), "3".to_owned())]);
    let bytes = weights::to_bytes(&tensors.into(), notes).expect("bytes");
    let header = 0..bytes.len() - 3 * 12 * 4;
    let readable = read_damaged(&bytes, header, &folder.path().join("damaged.safetensors"));
    println!("safetensors: {readable} of 3000 readable");
    assert!((1..1500).contains(&readable), "{readable}");
}

#[test]
fn damaged_pytorch_files_never_panic() {
    let folder = tempfile::tempdir().expect("a folder");
    let bytes = std::fs::read(fixture("torchvision.pth")).expect("a file");
    let path = folder.path().join("damaged.pth");
    let readable = read_damaged(&bytes, 0..bytes.len(), &path);
    println!("PyTorch: {readable} of 3000 readable");
    assert!((1..2900).contains(&readable), "{readable}");
}

#[test]
fn damaged_pickles_never_panic() {
    // The archive's sum would catch the damage first; here the sum fits, as in a file that was written wrongly.
    let folder = tempfile::tempdir().expect("a folder");
    let bytes = std::fs::read(fixture("torchvision.pth")).expect("a file");
    let pickle = pickle_in(&bytes);
    let path = folder.path().join("damaged.pth");
    let (mut readable, mut broken) = (0, 0);
    for round in 0..3000 {
        let mut stream = generator(4, "damage", round, 0);
        let mut damaged = bytes.clone();
        for _ in 0..stream.random_range(1..4) {
            damaged[stream.random_range(pickle.clone())] = stream.random();
        }
        mend_sum(&mut damaged, &pickle);
        std::fs::write(&path, &damaged).expect("a file");
        LARGEST.set(0);
        let outcome = std::panic::catch_unwind(|| weights::read_with_notes(&path));
        assert!(LARGEST.get() < REASONABLE, "round {round}: {} bytes", LARGEST.get());
        match outcome {
            Err(_) => panic!("round {round} panicked"),
            Ok(Ok(_)) => readable += 1,
            Ok(Err(error)) => {
                assert_says(&error.to_string(), &["what to do"]);
                assert!(!error.to_string().contains("hecksum"), "{error}");
                broken += 1;
            }
        }
    }
    println!("pickle: {readable} of 3000 readable, {broken} refused");
    assert!(readable > 100 && broken > 1000, "{readable} {broken}");
}

fn find(bytes: &[u8], part: &[u8]) -> Option<usize> {
    bytes.windows(part.len()).position(|window| window == part)
}

/// Where `data.pkl`, the first entry, lies; its length stands in the archive's directory (the zip format, 4.3.12).
fn pickle_in(archive: &[u8]) -> std::ops::Range<usize> {
    let start = find(archive, b"\x80\x02ccollections").expect("the pickle");
    let directory = find(archive, b"PK\x01\x02").expect("a directory");
    let length = archive[directory + 24..directory + 28].try_into();
    start..start + u32::from_le_bytes(length.expect("4 bytes")) as usize
}

/// Writes the sum of the damaged pickle into the archive's directory.
fn mend_sum(archive: &mut [u8], pickle: &std::ops::Range<usize>) {
    let directory = find(archive, b"PK\x01\x02").expect("a directory");
    let sum = crc32(&archive[pickle.clone()]).to_le_bytes();
    archive[directory + 16..directory + 20].copy_from_slice(&sum);
}

fn crc32(bytes: &[u8]) -> u32 {
    let mut sum = u32::MAX;
    for byte in bytes {
        sum ^= u32::from(*byte);
        for _ in 0..8 {
            sum = (sum >> 1) ^ (0xEDB8_8320 & 0u32.wrapping_sub(sum & 1));
        }
    }
    !sum
}
