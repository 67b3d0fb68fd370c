//! What the tests share: the golden cases and the numbers that they are made of (see the README of the golden cases).
#![allow(dead_code)] // every test file uses only a part of this

use std::path::PathBuf;

/// The folder of the golden cases: `TOALIGN_GOLDEN` where that is set, else `tests/golden`.
pub fn golden_folder() -> PathBuf {
    match std::env::var_os("TOALIGN_GOLDEN") {
        Some(folder) => PathBuf::from(folder),
        None => PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden"),
    }
}

/// As [`cases`], but a folder of somebody's own may lack the kind.
pub fn cases_of_a_later_kind(prefix: &str) -> Vec<(String, serde_json::Value)> {
    let own = std::env::var_os("TOALIGN_GOLDEN").is_some();
    let kind = |entry: std::io::Result<std::fs::DirEntry>| {
        entry.is_ok_and(|entry| entry.file_name().to_string_lossy().starts_with(prefix))
    };
    let there = std::fs::read_dir(golden_folder()).is_ok_and(|mut entries| entries.any(kind));
    if own && !there { Vec::new() } else { cases(prefix) }
}

/// All cases whose file name starts with `prefix`, as (file name without `.json`, content), sorted by name.
///
/// Panics if there is none: a test over no cases would pass without having tested anything.
pub fn cases(prefix: &str) -> Vec<(String, serde_json::Value)> {
    let folder = golden_folder();
    let mut found: Vec<(String, serde_json::Value)> = std::fs::read_dir(&folder)
        .unwrap_or_else(|error| panic!("cannot read {}: {error}", folder.display()))
        .map(|entry| entry.expect("a folder entry").path())
        .filter_map(|path| {
            let name = path.file_name()?.to_str()?.strip_suffix(".json")?.to_owned();
            name.starts_with(prefix).then_some((name, path))
        })
        .map(|(name, path)| {
            let text = std::fs::read_to_string(&path).expect("a readable case");
            let case =
                serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            (name, case)
        })
        .collect();
    assert!(!found.is_empty(), "no case {prefix}*.json in {}", folder.display());
    found.sort_by(|a, b| a.0.cmp(&b.0));
    found
}

/// `n` numbers in [0, 1): SplitMix64, started at `seed XOR fnv1a64(name)`.
pub fn unit(seed: u64, name: &str, n: usize) -> Vec<f64> {
    let mut state = seed ^ toalign::random::hash_of_name(name);
    (0..n)
        .map(|_| {
            state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
            let mut z = state;
            z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
            z ^= z >> 31;
            (z >> 11) as f64 * 2f64.powi(-53)
        })
        .collect()
}

/// `n` numbers in [`lo`, `hi`), drawn by [`unit`] and rounded to f32.
pub fn values(seed: u64, name: &str, n: usize, lo: f64, hi: f64) -> Vec<f32> {
    unit(seed, name, n).into_iter().map(|u| (lo + (hi - lo) * u) as f32).collect()
}
