//! 10,000 damaged inputs of every kind that is read from a disk: none panics, and none makes the library allocate more
//! than the size of the file warrants, whatever lengths the file claims.
//!
//! Each input is a real file with a few mutations: bits flipped, bytes overwritten, pieces cut out, repeated or taken from
//! another place, numbers replaced, the end cut off. `TOALIGN_MUTATIONS=1000000 cargo test --test mutations` makes more.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::io::Write;
use std::ops::Range;
use std::path::{Path, PathBuf};

use candle_core::{Device, Tensor};
use rand::Rng;
use toalign::Result;
use toalign::config::RunConfig;
use toalign::data::folder::Options;
use toalign::data::lists::Lists;
use toalign::data::office_home::published_list;
use toalign::data::{list_file, office_home};
use toalign::model::weights::{self, Notes};
use toalign::random::generator;
use toalign::runs::folder::{read_config, read_metrics};
use toalign::train::checkpoint::{Checkpoint, Header};
use toalign::train::progress::Progress;
use toalign::train::record::{Finish, Record};
use zip::write::SimpleFileOptions;

/// The system's allocator; follows what this thread holds.
struct Watched;

thread_local! {
    static HELD: Cell<isize> = const { Cell::new(0) };
    static PEAK: Cell<isize> = const { Cell::new(0) };
}

fn note(change: isize) {
    HELD.set(HELD.get() + change);
    PEAK.set(PEAK.get().max(HELD.get()));
}

// SAFETY: passes every call on unchanged.
unsafe impl GlobalAlloc for Watched {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        note(layout.size() as isize);
        unsafe { System.alloc(layout) }
    }
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        note(layout.size() as isize);
        unsafe { System.alloc_zeroed(layout) }
    }
    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        note(size as isize - layout.size() as isize);
        unsafe { System.realloc(pointer, layout, size) }
    }
    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        note(-(layout.size() as isize));
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Watched = Watched;

/// What one byte of a file may cost: parsed JSON and TOML are trees of some dozen bytes per letter.
const PER_BYTE: usize = 50;
/// What any file may cost: buffers, the list of settings, messages.
const CONSTANT: usize = 1 << 18;

/// One kind of input.
struct Target {
    name: &'static str,
    /// Its share of all inputs, in percent.
    share: usize,
    /// Real files.
    seeds: Vec<Vec<u8>>,
    /// Reads a file with these bytes in this empty folder.
    read: fn(&Path, &[u8]) -> Result<()>,
}

/// All kinds of input. Another parser of files gets a line here (the shares have to add up to 100).
fn targets() -> Vec<Target> {
    vec![
        Target {
            name: "class list",
            share: 10,
            seeds: vec![include_bytes!("../data_maps/office_home.csv").to_vec()],
            read: class_list,
        },
        Target { name: "list of pictures", share: 10, seeds: lists(), read: list_of_pictures },
        Target { name: "settings", share: 15, seeds: settings(), read: settings_file },
        Target { name: "metrics.jsonl", share: 15, seeds: metrics(), read: metrics_file },
        Target { name: "checkpoint", share: 15, seeds: vec![checkpoint()], read: checkpoint_file },
        Target { name: "safetensors", share: 10, seeds: vec![safetensors()], read: weights_file },
        Target { name: ".pth", share: 10, seeds: pytorch_files(), read: weights_file },
        Target { name: "pickle in .pth", share: 15, seeds: pickles(), read: pickle_in_pth },
    ]
}

fn class_list(_: &Path, bytes: &[u8]) -> Result<()> {
    office_home::parse(&String::from_utf8_lossy(bytes), Path::new("list.csv")).map(|_| ())
}

fn lists() -> Vec<Vec<u8>> {
    let published = published_list::lines("Art").unwrap()[..40].join("\n");
    let windows = "\u{feff}art\\Alarm Clock\\00001.jpg 0\r\nart\\Mug\\00007.jpg 1\r\n\r\n".to_owned();
    vec![published.into_bytes(), windows.into_bytes()]
}

fn list_of_pictures(folder: &Path, bytes: &[u8]) -> Result<()> {
    let file = written(folder, "art.txt", bytes);
    let parsed = list_file::parse(bytes, &file);
    // The labels of both domains have to fit together, and the pictures to be there.
    written(folder, "photo.txt", b"art/Mug/00001.jpg 0\n");
    let _ = Lists { folder, images: None }.task("art-photo", &Options::default());
    parsed.map(|_| ())
}

fn settings() -> Vec<Vec<u8>> {
    let all = RunConfig::mini().to_toml().unwrap();
    let few =
        "# settings\ndata = \"folder:pictures\"\nsteps = 20\nlearning_rate = 1e-3\nbackground = \"ffffff\"\n";
    vec![all.into_bytes(), few.as_bytes().to_vec()]
}

fn settings_file(folder: &Path, bytes: &[u8]) -> Result<()> {
    let file = written(folder, "config.toml", bytes);
    let _ = read_config(folder).map(|config| config.check());
    RunConfig::mini().overlaid_by_file(&file)?.check().map(drop)
}

fn metrics() -> Vec<Vec<u8>> {
    let records = [
        Record::Start { method: "hda+toalign".into(), task: "Cl-Rw".into(), seed: 1, steps: 9, from_step: 0 },
        Record::Train {
            step: 3,
            learning_rate: 1e-3,
            coefficient: 0.5,
            losses: [("total".to_owned(), 2.5), ("alignment".to_owned(), 0.75)].into(),
            seconds_per_step: 0.1,
        },
        Record::Confusion {
            step: 9,
            classes: vec!["Bed".into(), "Mug".into()],
            counts: vec![(0, 1, 7), (1, 1, 9)],
        },
        Record::Finish(Finish {
            step: 9,
            last_target_accuracy: 60.5,
            best_target_accuracy: 61.5,
            best_step: 6,
            seconds_per_step: 0.1,
        }),
    ];
    let lines = records.iter().map(|record| serde_json::to_string(record).unwrap() + "\n");
    vec![lines.collect::<String>().into_bytes()]
}

fn metrics_file(folder: &Path, bytes: &[u8]) -> Result<()> {
    written(folder, "metrics.jsonl", bytes);
    read_metrics(folder).map(|_| ())
}

fn checkpoint() -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("last.safetensors");
    let classes = ["Bed".to_owned(), "Mug".to_owned()];
    let header =
        Header::new(&RunConfig::mini(), "Cl-Rw", &classes, &Progress { step: 3, ..Progress::default() });
    let tensor = Tensor::arange(0f32, 12., &Device::Cpu).unwrap().reshape((3, 4)).unwrap();
    Checkpoint::of(header, &[], &[("base_net.fc.weight".to_owned(), tensor)]).unwrap().save(&path).unwrap();
    std::fs::read(path).unwrap()
}

fn checkpoint_file(folder: &Path, bytes: &[u8]) -> Result<()> {
    let file = written(folder, "last.safetensors", bytes);
    let header = Checkpoint::header(&file);
    let whole = Checkpoint::load(&file);
    if let Ok(whole) = &whole {
        assert_eq!(Some(&whole.header), header.as_ref().ok(), "the header alone reads otherwise");
    }
    header?;
    whole.map(|_| ())
}

fn safetensors() -> Vec<u8> {
    let tensors = ["conv1.weight", "bn1.bias", "fc.weight"].map(|name| {
        let values = Tensor::arange(0f32, 12., &Device::Cpu).and_then(|all| all.reshape((3, 4)));
        (name.to_owned(), values.unwrap())
    });
    weights::to_bytes(&tensors.into(), Notes::from([("ite".to_owned(), "3".to_owned())])).unwrap()
}

fn pytorch_files() -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/weights");
    ["torchvision.pth", "published.pt", "views.pth"]
        .map(|name| std::fs::read(folder.join(name)).unwrap())
        .to_vec()
}

fn weights_file(folder: &Path, bytes: &[u8]) -> Result<()> {
    weights::read_with_notes(&written(folder, "weights.any", bytes)).map(|_| ())
}

/// The pickles alone: inside the archive, its sum would catch any damage before the pickle is read.
fn pickles() -> Vec<Vec<u8>> {
    let pickle = |bytes: Vec<u8>| {
        let mut archive = zip::ZipArchive::new(std::io::Cursor::new(bytes)).unwrap();
        let names: Vec<String> = archive.file_names().map(|name| name.unwrap().to_string()).collect();
        let name = names.iter().find(|name| name.ends_with("data.pkl")).unwrap();
        let mut found = Vec::new();
        std::io::Read::read_to_end(&mut archive.by_name(name).unwrap(), &mut found).unwrap();
        found
    };
    pytorch_files().into_iter().map(pickle).collect()
}

fn pickle_in_pth(folder: &Path, bytes: &[u8]) -> Result<()> {
    let mut archive = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let stored = SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    archive.start_file("archive/data.pkl", stored).unwrap();
    archive.write_all(bytes).unwrap();
    for storage in 0..32 {
        archive.start_file(format!("archive/data/{storage}"), stored).unwrap();
        archive.write_all(&[7; 256]).unwrap();
    }
    weights_file(folder, &archive.finish().unwrap().into_inner())
}

fn written(folder: &Path, name: &str, bytes: &[u8]) -> PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, bytes).unwrap();
    path
}

/// One to four mutations of a seed.
fn mutated(seeds: &[Vec<u8>], random: &mut impl Rng) -> Vec<u8> {
    let mut bytes = seeds[random.random_range(0..seeds.len())].clone();
    for _ in 0..random.random_range(1..5) {
        if bytes.is_empty() {
            break;
        }
        let piece = piece_of(&bytes, random);
        match random.random_range(0..8) {
            0 => bytes[piece.start] ^= 1 << random.random_range(0..8),
            1 => bytes[piece.start] = random.random(),
            2 => bytes.truncate(piece.start),
            3 => drop(bytes.drain(piece)),
            4 => {
                let copy = bytes[piece].to_vec();
                let place = random.random_range(0..=bytes.len());
                bytes.splice(place..place, copy);
            }
            5 => {
                let other = &seeds[random.random_range(0..seeds.len())];
                let copy = other[piece_of(other, random)].to_vec();
                bytes.splice(piece, copy);
            }
            6 => {
                // A length of 1 to 8 bytes that claims a lot.
                let end = bytes.len().min(piece.start + random.random_range(1..9));
                bytes[piece.start..end].fill(0xff);
            }
            _ => edit_number(&mut bytes, piece.start, random),
        }
    }
    bytes
}

/// Up to 64 bytes somewhere.
fn piece_of(bytes: &[u8], random: &mut impl Rng) -> Range<usize> {
    let start = random.random_range(0..bytes.len());
    start..bytes.len().min(start + random.random_range(1..65))
}

/// Replaces the next number that is written in digits.
fn edit_number(bytes: &mut Vec<u8>, from: usize, random: &mut impl Rng) {
    let Some(start) = (from..bytes.len()).find(|&place| bytes[place].is_ascii_digit()) else { return };
    let end = (start..bytes.len()).find(|&place| !bytes[place].is_ascii_digit()).unwrap_or(bytes.len());
    let numbers = [
        "0",
        "-1",
        "1e999",
        "4294967296",
        "9223372036854775807",
        "18446744073709551615",
        "nan",
        "0.5",
        "99999999999",
    ];
    let number = numbers[random.random_range(0..numbers.len())];
    bytes.splice(start..end, number.bytes());
}

#[test]
fn ten_thousand_damaged_inputs_neither_panic_nor_allocate_without_measure() {
    // SAFETY: this is the only test of this program, and no other thread runs yet. A backtrace costs megabytes.
    unsafe { std::env::set_var("RUST_LIB_BACKTRACE", "0") };
    let all: usize = std::env::var("TOALIGN_MUTATIONS").map_or(10_000, |count| count.parse().unwrap());
    let targets = targets();
    assert_eq!(targets.iter().map(|target| target.share).sum::<usize>(), 100);
    let folder = tempfile::tempdir().unwrap();
    let mut failures = Vec::new();
    for target in &targets {
        for seed in &target.seeds {
            (target.read)(folder.path(), seed).unwrap_or_else(|error| panic!("{}: {error}", target.name));
        }
        let rounds = all * target.share / 100;
        let (mut refused, mut worst) = (0, 0f64);
        for round in 0..rounds {
            let bytes = mutated(&target.seeds, &mut generator(5, target.name, round as u64, 0));
            HELD.set(0);
            PEAK.set(0);
            let outcome = std::panic::catch_unwind(|| (target.read)(folder.path(), &bytes));
            let peak = PEAK.get().max(0) as usize;
            let allowed = CONSTANT + PER_BYTE * bytes.len();
            worst = worst.max(peak as f64 / allowed as f64);
            if peak > allowed {
                failures.push(format!("{} {round}: {peak} bytes for a file of {}", target.name, bytes.len()));
            }
            match outcome {
                Err(_) => failures.push(format!("{} {round} panicked", target.name)),
                Ok(Ok(())) => {}
                Ok(Err(error)) => {
                    refused += 1;
                    let message = error.to_string();
                    if !message.contains("expected ") && !message.starts_with("cannot read ") {
                        failures.push(format!("{} {round}: {message}", target.name));
                    }
                }
            }
        }
        println!(
            "{}: {refused} of {rounds} refused, at most {:.0} % of the allowed memory",
            target.name,
            100.0 * worst
        );
        assert!(refused * 5 > rounds, "{}: only {refused} of {rounds} were refused", target.name);
    }
    assert!(
        failures.is_empty(),
        "{} failures:\n{}",
        failures.len(),
        failures[..failures.len().min(20)].join("\n")
    );
}
