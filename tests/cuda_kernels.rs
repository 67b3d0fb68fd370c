//! The GPU's kernels without a GPU: `src/cuda/kernels.cu`, compiled as C++ (`tests/gpu/emulated.cpp`), against candle's
//! operations. Skipped, with a line that says so, where there is no C++20 compiler.

mod common;

use std::ffi::{CString, c_char, c_int, c_void};
use std::io::Write;
use std::path::Path;
use std::process::Command;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use candle_core::{DType, Device, Tensor, Var};
use common::values;
use toalign::nn::batch_norm::{BatchNorm, Mode, Then};
use toalign::nn::conv::conv2d;
use toalign::nn::max_pool::max_pool;

#[repr(C)]
#[derive(Clone, Copy)]
struct Dim3(u32, u32, u32);

type Launch = unsafe extern "C" fn(*const c_char, Dim3, Dim3, *mut *mut c_void) -> c_int;

/// One launch after the other: the emulation has one block at a time.
static BUSY: Mutex<()> = Mutex::new(());

struct Kernels {
    launch: Launch,
    _one_at_a_time: MutexGuard<'static, ()>,
}

/// The kernels for maps of f32 or bf16; none without a compiler.
fn kernels(test: &str, bf16: bool) -> Option<Kernels> {
    static COMPILED: [OnceLock<Option<usize>>; 2] = [const { OnceLock::new() }; 2];
    let one_at_a_time = BUSY.lock().unwrap_or_else(PoisonError::into_inner);
    let address = *COMPILED[usize::from(bf16)].get_or_init(|| compile(bf16));
    let Some(address) = address else {
        let _ = std::io::stderr()
            .write_all(format!("\nskipped {test}: expected a C++20 compiler named c++\n").as_bytes());
        return None;
    };
    // SAFETY: that function, of this type, stands in emulated.cpp.
    let launch = unsafe { std::mem::transmute::<usize, Launch>(address) };
    Some(Kernels { launch, _one_at_a_time: one_at_a_time })
}

fn compile(bf16: bool) -> Option<usize> {
    let folder = tempfile::tempdir().unwrap();
    let library = folder.path().join("kernels.so");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/gpu/emulated.cpp");
    let mut command = Command::new("c++");
    command.args(["-std=c++20", "-O1", "-shared", "-fPIC", "-pthread", "-Wno-unknown-pragmas", "-o"]);
    command.arg(&library).arg(&source);
    if bf16 {
        command.arg("-DBF16");
    }
    let output = command.output().ok()?;
    let message = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        assert!(message.contains("c++20") || message.contains("barrier"), "{message}");
        return None;
    }
    let path = CString::new(library.to_str().unwrap()).unwrap();
    // SAFETY: the library was made above and has this function.
    let address = unsafe {
        let library = libc::dlopen(path.as_ptr(), libc::RTLD_NOW | libc::RTLD_LOCAL);
        assert!(!library.is_null(), "the emulated kernels load");
        libc::dlsym(library, c"launch_kernel".as_ptr())
    };
    assert!(!address.is_null(), "launch_kernel is there");
    Some(address as usize)
}

macro_rules! launch {
    ($kernels:expr, $name:literal, $grid:expr, $block:expr, $($argument:expr),+ $(,)?) => {{
        let mut arguments: Vec<*mut c_void> = Vec::new();
        $(
            let mut argument = $argument;
            arguments.push((&raw mut argument).cast());
        )+
        let name = CString::new($name).unwrap();
        // SAFETY: number, order and types of the arguments are those of the kernel's head.
        let known = unsafe { ($kernels.launch)(name.as_ptr(), $grid, $block, arguments.as_mut_ptr()) };
        assert_eq!(known, 1, "{}", $name);
    }};
}

#[repr(C)]
#[derive(Clone, Copy)]
struct Domains {
    count: c_int,
    starts: [c_int; 9],
}

#[repr(C)]
#[derive(Clone, Copy)]
struct Norm {
    moments: *const f32,
    scale: *const f32,
    shift: *const f32,
}

const NONE: Norm = Norm { moments: std::ptr::null(), scale: std::ptr::null(), shift: std::ptr::null() };
const BLOCK: Dim3 = Dim3(16, 16, 1);
const COLUMNS: Dim3 = Dim3(32, 32, 1);

/// Two domains of 3 and 2 pictures of 5×7 pixels, 72 channels: no size is a multiple of a block's.
const PICTURES: [usize; 2] = [3, 2];
const HEIGHT: usize = 5;
const WIDTH: usize = 7;
const CHANNELS: usize = 72;
const ELEMENTS: usize = 5 * HEIGHT * WIDTH * CHANNELS;
const SLICES: usize = 3;
const GRID: Dim3 = Dim3(SLICES as u32, 2, 2);

fn domains() -> Domains {
    let mut starts = [0; 9];
    starts[1] = (PICTURES[0] * HEIGHT * WIDTH) as c_int;
    starts[2] = starts[1] + (PICTURES[1] * HEIGHT * WIDTH) as c_int;
    Domains { count: 2, starts }
}

fn var(values: &[f32], dims: &[usize]) -> Var {
    let values: Vec<f64> = values.iter().map(|&value| f64::from(value)).collect();
    Var::from_tensor(&Tensor::from_vec(values, dims, &Device::Cpu).unwrap()).unwrap()
}

fn numbers(tensor: &Tensor) -> Vec<f64> {
    tensor.to_dtype(DType::F64).unwrap().flatten_all().unwrap().to_vec1().unwrap()
}

fn assert_close(what: &str, found: &[f32], expected: &[f64], tolerance: f64) {
    assert_eq!(found.len(), expected.len(), "{what}");
    let largest = expected.iter().fold(1e-3f64, |largest, value| largest.max(value.abs()));
    for (place, (&found, expected)) in found.iter().zip(expected).enumerate() {
        let error = (f64::from(found) - expected).abs() / largest;
        assert!(error < tolerance, "{what}[{place}]: expected {expected}, found {found}");
    }
}

/// A batch norm's tensors as plain memory, and as a layer in f64.
struct Layer {
    scale: Vec<f32>,
    shift: Vec<f32>,
    running: [Vec<f32>; 2],
    moments: Vec<f32>,
    exact: BatchNorm,
}

impl Layer {
    fn new(seed: u64) -> Self {
        let scale = values(seed, "scale", CHANNELS, -1.5, 1.5);
        let shift = values(seed, "shift", CHANNELS, -0.5, 0.5);
        let exact = BatchNorm::new(CHANNELS, DType::F64).unwrap();
        exact.weight.set(&var(&scale, &[CHANNELS])).unwrap();
        exact.bias.set(&var(&shift, &[CHANNELS])).unwrap();
        let running = [vec![0.0; CHANNELS], vec![1.0; CHANNELS]];
        Self { scale, shift, running, moments: vec![f32::NAN; 4 * CHANNELS], exact }
    }

    fn norm(&self) -> Norm {
        Norm { moments: self.moments.as_ptr(), scale: self.scale.as_ptr(), shift: self.shift.as_ptr() }
    }

    /// What `Extent::moments` launches; the first domain moves the running statistics twice.
    fn take_moments(&mut self, kernels: &Kernels, x: &[f32]) {
        let mut slices = vec![f32::NAN; 2 * SLICES * 2 * CHANNELS];
        let (x, channels) = (x.as_ptr(), CHANNELS as c_int);
        launch!(kernels, "moments_of_slices", GRID, BLOCK, x, slices.as_mut_ptr(), channels, domains());
        let mut kept = [1.0f64; 8];
        (kept[0], kept[1]) = (0.81, 0.9);
        launch!(
            kernels,
            "moments_of_domains",
            Dim3(3, 1, 1),
            COLUMNS,
            x,
            slices.as_ptr(),
            SLICES as c_int,
            self.moments.as_mut_ptr(),
            self.running[0].as_mut_ptr(),
            self.running[1].as_mut_ptr(),
            channels,
            1e-5f64,
            kept,
            domains()
        );
    }
}

/// Of a tensor of all pictures, the pictures of each domain.
fn parts(of: &Tensor) -> [Tensor; 2] {
    [of.narrow(0, 0, PICTURES[0]).unwrap(), of.narrow(0, PICTURES[0], PICTURES[1]).unwrap()]
}

/// The layer over all pictures, each domain by its own statistics.
fn exact(layer: &BatchNorm, x: &Tensor, shortcut: Option<&Tensor>, relu: bool) -> Tensor {
    let shortcuts = shortcut.map(parts);
    let by_domain: Vec<Tensor> = (0..2)
        .map(|domain| {
            let then = match (&shortcuts, relu) {
                (Some(shortcuts), _) => Then::AddAndRelu(&shortcuts[domain]),
                (None, true) => Then::Relu,
                (None, false) => Then::Nothing,
            };
            let mode = Mode::Training { statistics_updates: 2 - domain as u32 };
            layer.forward(&parts(x)[domain], mode, then).unwrap()
        })
        .collect();
    Tensor::cat(&by_domain, 0).unwrap()
}

/// What stands beside `norm(x)` under the ReLU.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Shortcut {
    Absent,
    Map,
    MapWithNorm,
}

#[test]
fn batch_norm_agrees_with_the_composition_both_ways() {
    let Some(kernels) = kernels("batch_norm_agrees_with_the_composition_both_ways", false) else { return };
    let dims = [5, HEIGHT, WIDTH, CHANNELS];
    for kind in [Shortcut::Absent, Shortcut::Map, Shortcut::MapWithNorm] {
        let what = |part: &str| format!("{part} with the shortcut {kind:?}");
        // Far from zero: the sums of squares must not lose the variance.
        let mut x = values(1, "x", ELEMENTS, 49.0, 51.0);
        let mut z = values(1, "z", ELEMENTS, -1.0, 1.0);
        let weights = values(1, "weights", ELEMENTS, -1.0, 1.0);
        let (mut layer, mut other) = (Layer::new(2), Layer::new(3));
        let (exact_x, exact_z) = (var(&x, &dims), var(&z, &dims));

        let shortcut = match kind {
            Shortcut::Absent => None,
            Shortcut::Map => Some(exact_z.as_tensor().clone()),
            Shortcut::MapWithNorm => Some(exact(&other.exact, &exact_z, None, false)),
        };
        let expected = exact(&layer.exact, &exact_x, shortcut.as_ref(), true);
        let loss = (&expected * var(&weights, &dims).as_tensor()).unwrap().sum_all().unwrap();
        let gradients = loss.backward().unwrap();
        let gradient = |of: &Var| numbers(gradients.get(of).unwrap());

        layer.take_moments(&kernels, &x);
        other.take_moments(&kernels, &z);
        let mut y = vec![f32::NAN; ELEMENTS];
        let (shortcut, of_shortcut) = match kind {
            Shortcut::Absent => (std::ptr::null(), NONE),
            Shortcut::Map => (z.as_ptr(), NONE),
            Shortcut::MapWithNorm => (z.as_ptr(), other.norm()),
        };
        let channels = CHANNELS as c_int;
        launch!(
            kernels,
            "normalise",
            GRID,
            BLOCK,
            x.as_ptr(),
            layer.norm(),
            shortcut,
            of_shortcut,
            y.as_mut_ptr(),
            channels,
            domains()
        );
        assert_close(&what("value"), &y, &numbers(&expected), 2e-5);
        assert_close("running mean", &layer.running[0], &numbers(&layer.exact.running_mean), 1e-6);
        assert_close("running variance", &layer.running[1], &numbers(&layer.exact.running_var), 1e-5);

        let with_norm = kind == Shortcut::MapWithNorm;
        let mut of_y = weights.clone();
        let (z_at, z_norm) = if with_norm { (z.as_ptr(), other.norm()) } else { (std::ptr::null(), NONE) };
        let output = if kind == Shortcut::Absent { std::ptr::null() } else { y.as_ptr() };
        let mut slices = vec![f32::NAN; 2 * SLICES * 3 * CHANNELS];
        launch!(
            kernels,
            "gradient_of_slices",
            GRID,
            BLOCK,
            of_y.as_ptr(),
            x.as_ptr(),
            layer.norm(),
            output,
            z_at,
            z_norm,
            slices.as_mut_ptr(),
            channels,
            domains()
        );
        let mut of_affine = vec![vec![f32::NAN; CHANNELS]; 4];
        let mut sums = vec![f32::NAN; 2 * 3 * CHANNELS];
        let [of_scale, of_shift, of_z_scale, of_z_shift] = &mut of_affine[..] else { unreachable!() };
        launch!(
            kernels,
            "gradient_of_domains",
            Dim3(3, 1, 1),
            COLUMNS,
            slices.as_ptr(),
            SLICES as c_int,
            layer.moments.as_ptr(),
            of_scale.as_mut_ptr(),
            of_shift.as_mut_ptr(),
            z_norm.moments,
            of_z_scale.as_mut_ptr(),
            of_z_shift.as_mut_ptr(),
            sums.as_mut_ptr(),
            channels,
            2 as c_int
        );
        // In place, as the backward pass has it.
        let of_shortcut = match kind {
            Shortcut::Absent => std::ptr::null_mut(),
            Shortcut::Map => of_y.as_mut_ptr(),
            Shortcut::MapWithNorm => z.as_mut_ptr(),
        };
        launch!(
            kernels,
            "gradient_through",
            GRID,
            BLOCK,
            of_y.as_ptr(),
            x.as_ptr(),
            layer.norm(),
            output,
            z_at,
            z_norm,
            sums.as_ptr(),
            x.as_mut_ptr(),
            of_shortcut,
            channels,
            domains()
        );
        assert_close(&what("gradient of x"), &x, &gradient(&exact_x), 1e-4);
        assert_close(&what("gradient of the scale"), &of_affine[0], &gradient(&layer.exact.weight), 1e-4);
        assert_close(&what("gradient of the shift"), &of_affine[1], &gradient(&layer.exact.bias), 1e-5);
        match kind {
            Shortcut::Absent => {}
            Shortcut::Map => assert_close(&what("its gradient"), &of_y, &gradient(&exact_z), 1e-6),
            Shortcut::MapWithNorm => {
                assert_close(&what("its gradient"), &z, &gradient(&exact_z), 1e-4);
                assert_close(&what("its scale's"), &of_affine[2], &gradient(&other.exact.weight), 1e-4);
                assert_close(&what("its shift's"), &of_affine[3], &gradient(&other.exact.bias), 1e-5);
            }
        }
    }
}

#[test]
fn running_statistics_take_the_place_of_moments() {
    let Some(kernels) = kernels("running_statistics_take_the_place_of_moments", false) else { return };
    let (mean, variance) = ([1.0f32, -2.0, 3.0], [4.0f32 - 1e-5, 0.25 - 1e-5, 1.0 - 1e-5]);
    let mut moments = [0f32; 6];
    let block = Dim3(4, 1, 1);
    launch!(
        kernels,
        "running_moments",
        Dim3(1, 1, 1),
        block,
        mean.as_ptr(),
        variance.as_ptr(),
        moments.as_mut_ptr(),
        3 as c_int,
        1e-5f64
    );
    assert_close("moments", &moments, &[1.0, -2.0, 3.0, 0.5, 2.0, 1.0], 1e-6);
}

/// The grid for so many threads, in blocks of 64.
fn blocks(threads: usize) -> (Dim3, Dim3) {
    (Dim3(threads.div_ceil(64) as u32, 1, 1), Dim3(64, 1, 1))
}

#[test]
fn pooling_agrees_with_the_composition_both_ways() {
    let Some(kernels) = kernels("pooling_agrees_with_the_composition_both_ways", false) else { return };
    let dims = [5, HEIGHT, WIDTH, CHANNELS];
    let x = values(4, "x", ELEMENTS, -1.0, 1.0);
    let mut layer = Layer::new(5);
    layer.take_moments(&kernels, &x);
    // Pool what the kernels activate, so that the maxima are of the very same numbers.
    let mut active = vec![0f32; ELEMENTS];
    let (channels, none) = (CHANNELS as c_int, std::ptr::null::<f32>());
    launch!(
        kernels,
        "normalise",
        GRID,
        BLOCK,
        x.as_ptr(),
        layer.norm(),
        none,
        NONE,
        active.as_mut_ptr(),
        channels,
        domains()
    );
    let exact_active = var(&active, &dims);
    let expected = max_pool(&exact_active).unwrap();
    let count = expected.elem_count();
    let (mut y, mut which) = (vec![f32::NAN; count], vec![99u8; count]);
    let (batch, height, width) = (5 as c_int, HEIGHT as c_int, WIDTH as c_int);
    let (grid, block) = blocks(count / 4);
    launch!(
        kernels,
        "pool",
        grid,
        block,
        x.as_ptr(),
        layer.norm(),
        y.as_mut_ptr(),
        which.as_mut_ptr(),
        batch,
        height,
        width,
        channels,
        domains()
    );
    assert_close("maxima", &y, &numbers(&expected), 1e-7);

    let of_y = values(4, "gradient", count, -1.0, 1.0);
    let loss = (&expected * var(&of_y, expected.dims()).as_tensor()).unwrap().sum_all().unwrap();
    let gradients = loss.backward().unwrap();
    let mut of_active = vec![f32::NAN; ELEMENTS];
    let (grid, block) = blocks(ELEMENTS / 4);
    launch!(
        kernels,
        "unpool",
        grid,
        block,
        of_y.as_ptr(),
        which.as_ptr(),
        of_active.as_mut_ptr(),
        batch,
        height,
        width,
        channels
    );
    assert_close("gradient", &of_active, &numbers(gradients.get(&exact_active).unwrap()), 1e-6);
}

#[test]
fn every_second_pixel_is_read_and_added_to() {
    let Some(kernels) = kernels("every_second_pixel_is_read_and_added_to", false) else { return };
    let x = values(6, "x", ELEMENTS, -1.0, 1.0);
    let map = var(&x, &[5, HEIGHT, WIDTH, CHANNELS]);
    let rows = Tensor::new(&[0u32, 2, 4], &Device::Cpu).unwrap();
    let columns = Tensor::new(&[0u32, 2, 4, 6], &Device::Cpu).unwrap();
    let expected = map.index_select(&rows, 1).unwrap().index_select(&columns, 2).unwrap();
    let mut y = vec![f32::NAN; expected.elem_count()];
    let (batch, height, width, channels) = (5 as c_int, HEIGHT as c_int, WIDTH as c_int, CHANNELS as c_int);
    let (grid, block) = blocks(y.len() / 4);
    launch!(kernels, "every_second", grid, block, x.as_ptr(), y.as_mut_ptr(), batch, height, width, channels);
    assert_close("read", &y, &numbers(&expected), 1e-9);
    let gradients = (expected.sqr().unwrap().sum_all().unwrap() * 0.5).unwrap().backward().unwrap();
    let expected = (gradients.get(&map).unwrap() + map.as_tensor()).unwrap();
    let mut sum = x.clone();
    launch!(
        kernels,
        "add_to_every_second",
        grid,
        block,
        y.as_ptr(),
        sum.as_mut_ptr(),
        batch,
        height,
        width,
        channels
    );
    assert_close("added", &sum, &numbers(&expected), 1e-7);
}

#[test]
fn a_turned_kernel_gives_the_gradient_of_the_input() {
    let Some(kernels) = kernels("a_turned_kernel_gives_the_gradient_of_the_input", false) else { return };
    let (output, size, input) = (6usize, 3usize, 5usize);
    let kernel = values(10, "kernel", output * size * size * input, -1.0, 1.0);
    let mut turned = vec![f32::NAN; kernel.len()];
    let (grid, block) = blocks(kernel.len());
    let sizes = [output, size, input].map(|size| size as c_int);
    launch!(kernels, "turn", grid, block, kernel.as_ptr(), turned.as_mut_ptr(), sizes[0], sizes[1], sizes[2]);
    let x = var(&values(10, "x", 2 * 4 * 6 * input, -1.0, 1.0), &[2, 4, 6, input]);
    let kernel = var(&kernel, &[output, size, size, input]);
    let y = conv2d(&x, &kernel, 1, 1).unwrap();
    let of_y = var(&values(10, "of y", y.elem_count(), -1.0, 1.0), y.dims());
    let gradients = (&y * of_y.as_tensor()).unwrap().sum_all().unwrap().backward().unwrap();
    let turned = var(&turned, &[input, size, size, output]);
    let found: Vec<f32> = numbers(&conv2d(&of_y, &turned, 1, 1).unwrap()).iter().map(|&x| x as f32).collect();
    assert_close("gradient of the input", &found, &numbers(gradients.get(&x).unwrap()), 1e-6);
}

#[test]
fn maps_are_turned_over_and_added() {
    let Some(kernels) = kernels("maps_are_turned_over_and_added", false) else { return };
    let (count, rows, columns) = (2usize, 35usize, 70usize);
    let x = values(11, "x", count * rows * columns, -1.0, 1.0);
    let expected = var(&x, &[count, rows, columns]).transpose(1, 2).unwrap().contiguous().unwrap();
    let mut y = vec![f32::NAN; x.len()];
    for (add, times) in [(0, 1.0), (1, 2.0)] {
        let (grid, block) = (Dim3(3, 2, count as u32), Dim3(32, 8, 1));
        let sizes = [rows as c_int, columns as c_int];
        launch!(
            kernels,
            "transpose",
            grid,
            block,
            x.as_ptr(),
            y.as_mut_ptr(),
            sizes[0],
            sizes[1],
            add as c_int
        );
        assert_close("turned over", &y, &numbers(&(&expected * times).unwrap()), 1e-7);
    }
}

#[test]
fn the_average_goes_both_ways() {
    let Some(kernels) = kernels("the_average_goes_both_ways", false) else { return };
    let x = values(7, "x", ELEMENTS, -1.0, 1.0);
    let map = var(&x, &[5, HEIGHT * WIDTH, CHANNELS]);
    let expected = map.mean(1).unwrap();
    let mut feature = vec![f32::NAN; 5 * CHANNELS];
    let (pixels, channels) = ((HEIGHT * WIDTH) as c_int, CHANNELS as c_int);
    launch!(kernels, "average", Dim3(2, 5, 1), BLOCK, x.as_ptr(), feature.as_mut_ptr(), pixels, channels);
    assert_close("average", &feature, &numbers(&expected), 1e-6);
    let of_feature = values(7, "gradient", 5 * CHANNELS, -1.0, 1.0);
    let loss = (&expected * var(&of_feature, &[5, CHANNELS]).as_tensor()).unwrap().sum_all().unwrap();
    let gradients = loss.backward().unwrap();
    let mut of_map = vec![f32::NAN; ELEMENTS];
    let (grid, block) = blocks(ELEMENTS / 4);
    launch!(
        kernels,
        "spread",
        grid,
        block,
        of_feature.as_ptr(),
        of_map.as_mut_ptr(),
        5 as c_int,
        HEIGHT as c_int,
        WIDTH as c_int,
        channels
    );
    assert_close("spread", &of_map, &numbers(gradients.get(&map).unwrap()), 1e-6);
}

#[test]
fn bf16_rounds_as_candle_does() {
    let Some(kernels) = kernels("bf16_rounds_as_candle_does", true) else { return };
    let mut x = values(8, "x", 1000, -3.0, 3.0);
    // Ties in both directions, the largest and smallest numbers.
    x.extend([257.0 / 256.0, 259.0 / 256.0, -257.0 / 256.0, f32::MAX, f32::MIN_POSITIVE, 1e-40, 0.0, -0.0]);
    x.extend([f32::INFINITY, f32::NEG_INFINITY]);
    let (mut rounded, mut back) = (vec![0u16; x.len()], vec![0f32; x.len()]);
    let (grid, block) = (Dim3(2, 1, 1), Dim3(64, 1, 1));
    launch!(kernels, "to_elements", grid, block, x.as_ptr(), rounded.as_mut_ptr(), x.len());
    launch!(kernels, "to_floats", grid, block, rounded.as_ptr(), back.as_mut_ptr(), x.len());
    let expected = Tensor::new(&x[..], &Device::Cpu).unwrap().to_dtype(DType::BF16).unwrap();
    let expected: Vec<f32> = expected.to_dtype(DType::F32).unwrap().to_vec1().unwrap();
    for ((x, found), expected) in x.iter().zip(&back).zip(&expected) {
        assert_eq!(found.to_bits(), expected.to_bits(), "{x}");
    }
    let (nan, mut rounded, mut back) = ([f32::NAN], [0u16], [0f32]);
    launch!(kernels, "to_elements", grid, block, nan.as_ptr(), rounded.as_mut_ptr(), 1usize);
    launch!(kernels, "to_floats", grid, block, rounded.as_ptr(), back.as_mut_ptr(), 1usize);
    assert!(back[0].is_nan());
}

#[test]
fn sgd_moves_every_tensor_by_its_own_rate() {
    let Some(kernels) = kernels("sgd_moves_every_tensor_by_its_own_rate", false) else { return };
    const MOST: usize = 96;
    #[repr(C)]
    #[derive(Clone, Copy)]
    struct Tensors {
        weight: [*mut f32; MOST],
        velocity: [*mut f32; MOST],
        gradient: [*const f32; MOST],
        count: [c_int; MOST],
        rate: [f32; MOST],
    }
    let sizes = [300usize, 7];
    for nesterov in [true, false] {
        let drawn = |name: &str, size| values(9, &format!("{name}{size}"), size, -1.0, 1.0);
        let mut weights: Vec<Vec<f32>> = sizes.iter().map(|&size| drawn("weight", size)).collect();
        let mut velocities: Vec<Vec<f32>> = sizes.iter().map(|&size| drawn("velocity", size)).collect();
        let gradients: Vec<Vec<f32>> = sizes.iter().map(|&size| drawn("gradient", size)).collect();
        let (old_weights, old_velocities) = (weights.clone(), velocities.clone());
        let mut table = Tensors {
            weight: [std::ptr::null_mut(); MOST],
            velocity: [std::ptr::null_mut(); MOST],
            gradient: [std::ptr::null(); MOST],
            count: [0; MOST],
            rate: [0.0; MOST],
        };
        let rates = [0.1f32, 0.01];
        for tensor in 0..2 {
            table.weight[tensor] = weights[tensor].as_mut_ptr();
            table.velocity[tensor] = velocities[tensor].as_mut_ptr();
            table.gradient[tensor] = gradients[tensor].as_ptr();
            table.count[tensor] = sizes[tensor] as c_int;
            table.rate[tensor] = rates[tensor];
        }
        let (grid, block) = (Dim3(2, 2, 1), Dim3(64, 1, 1));
        launch!(kernels, "sgd", grid, block, table, 0.9f32, 5e-4f32, c_int::from(nesterov));
        for tensor in 0..2 {
            for place in 0..sizes[tensor] {
                let (w, g) = (f64::from(old_weights[tensor][place]), f64::from(gradients[tensor][place]));
                let decayed = g + 5e-4 * w;
                let v = 0.9 * f64::from(old_velocities[tensor][place]) + decayed;
                let direction = if nesterov { decayed + 0.9 * v } else { v };
                let expected = w - f64::from(rates[tensor]) * direction;
                assert!((f64::from(velocities[tensor][place]) - v).abs() < 1e-6);
                assert!((f64::from(weights[tensor][place]) - expected).abs() < 1e-6);
            }
        }
    }
}
