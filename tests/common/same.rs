//! Whether two runs ended the same: checkpoints bit for bit, and the records but for their times.
#![allow(dead_code)] // each test file uses its own part of this

use std::path::Path;

use serde_json::Value;
use toalign::train::checkpoint::Checkpoint;

/// The records of a run without what may differ: the starts, and how long things took.
pub fn records(run: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(run.join("metrics.jsonl")).unwrap();
    let records = text.lines().map(|line| {
        let mut record: Value = serde_json::from_str(line).unwrap();
        let fields = record.as_object_mut().unwrap();
        fields.remove("seconds");
        fields.remove("seconds_per_step");
        record
    });
    records.filter(|record| record["kind"] != "start").collect()
}

/// Both checkpoints byte for byte (weights, statistics, momentum, progress), and the records.
pub fn assert_same_run(straight: &Path, interrupted: &Path) {
    assert_eq!(records(straight), records(interrupted));
    for name in ["last.safetensors", "best.safetensors"] {
        let [a, b] = [straight, interrupted].map(|run| Checkpoint::load(&run.join(name)).unwrap());
        assert_eq!(a.header, b.header);
        for (name, tensor) in &a.tensors {
            let values = |tensor: &candle_core::Tensor| {
                let values = tensor.flatten_all().unwrap().to_vec1::<f32>().unwrap();
                values.into_iter().map(f32::to_bits).collect::<Vec<_>>()
            };
            assert_eq!(values(tensor), values(&b.tensors[name]), "{name}");
        }
        let [a, b] = [straight, interrupted].map(|run| std::fs::read(run.join(name)).unwrap());
        assert!(a == b, "{name} differs in bytes");
    }
}
