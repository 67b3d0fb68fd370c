//! Whatever file of weights a user has: the backbone in it is found, or the message says which network it is.

use std::io::Write;
use std::path::{Path, PathBuf};

use candle_core::{DType, Device, Tensor};
use toalign::model::resnet::{BackboneKind, ResNet};
use toalign::model::weights::{NamedTensors, Notes, load_backbone, named, read, to_bytes};
use toalign::nn::parameters::Parameter;
use toalign::random::generator;

fn network(kind: BackboneKind, seed: u64) -> Vec<Parameter> {
    ResNet::new(kind, DType::F32, &mut generator(seed, "backbone", 0, 0)).expect("a network").parameters()
}

/// Weights of the small network after some training, as far as batch norm can tell.
fn trained() -> NamedTensors {
    let mut tensors = named(&network(BackboneKind::Small, 1)).expect("tensors");
    for (name, tensor) in &mut tensors {
        if name.ends_with("running_mean") {
            *tensor = (&*tensor + 0.25).expect("a tensor");
        }
    }
    tensors
}

fn prefixed(tensors: &NamedTensors, prefix: &str) -> NamedTensors {
    tensors.iter().map(|(name, tensor)| (format!("{prefix}{name}"), tensor.clone())).collect()
}

fn safetensors(folder: &Path, name: &str, tensors: &NamedTensors) -> PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, to_bytes(tensors, Notes::new()).expect("bytes")).expect("a file");
    path
}

/// What `torch.save({wrapper: tensors, …})` writes, protocol 2; without a wrapper the tensors stand at the top.
fn pth(folder: &Path, name: &str, networks: &[(&str, &NamedTensors)]) -> PathBuf {
    let text = |text: &str| [b"X", &(text.len() as u32).to_le_bytes()[..], text.as_bytes()].concat();
    let whole = |number: usize| [b"J", &(number as u32).to_le_bytes()[..]].concat();
    let row = |numbers: Vec<usize>| {
        [b"(".to_vec(), numbers.into_iter().flat_map(whole).collect(), b"t".to_vec()].concat()
    };
    let path = folder.join(name);
    let mut archive = zip::ZipWriter::new(std::fs::File::create(&path).expect("a file"));
    let stored = zip::write::SimpleFileOptions::default();
    let mut pickle = b"\x80\x02}(".to_vec();
    let mut storages = Vec::new();
    for (wrapper, tensors) in networks {
        if !wrapper.is_empty() {
            pickle.extend([text(wrapper), b"ccollections\nOrderedDict\n)R(".to_vec()].concat());
        }
        for (name, tensor) in *tensors {
            let dims = tensor.dims().to_vec();
            let strides = tensor.contiguous().expect("a tensor").stride().to_vec();
            let number = storages.len().to_string();
            pickle.extend([text(name), b"ctorch._utils\n_rebuild_tensor_v2\n(".to_vec()].concat());
            pickle.extend([b"(".to_vec(), text("storage"), b"ctorch\nFloatStorage\n".to_vec()].concat());
            pickle.extend([text(&number), text("cpu"), whole(tensor.elem_count()), b"tQ".to_vec()].concat());
            pickle.extend(
                [whole(0), row(dims), row(strides), b"\x89ccollections\nOrderedDict\n)RtR".to_vec()].concat(),
            );
            storages.push(tensor.flatten_all().and_then(|flat| flat.to_vec1::<f32>()).expect("numbers"));
        }
        if !wrapper.is_empty() {
            pickle.push(b'u');
        }
    }
    pickle.extend(b"u.");
    archive.start_file("archive/data.pkl", stored).expect("an entry");
    archive.write_all(&pickle).expect("an entry");
    for (number, values) in storages.iter().enumerate() {
        archive.start_file(format!("archive/data/{number}"), stored).expect("an entry");
        let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        archive.write_all(&bytes).expect("an entry");
    }
    archive.finish().expect("an archive");
    path
}

/// Loads into a small network with other values; the remarks, once all of `expected` has arrived.
fn load(path: &Path, expected: &NamedTensors) -> Vec<String> {
    let parameters = network(BackboneKind::Small, 2);
    let remarks =
        load_backbone(&parameters, path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    for parameter in &parameters {
        let [ours, theirs] = [parameter.to_file().expect("a tensor"), expected[&parameter.name].clone()];
        let difference =
            (ours - theirs).and_then(|difference| difference.abs()?.max_all()?.to_scalar::<f32>());
        assert_eq!(difference.expect("a number"), 0.0, "{}", parameter.name);
    }
    remarks
}

fn refusal(kind: BackboneKind, path: &Path) -> String {
    load_backbone(&network(kind, 2), path).expect_err("another network").to_string()
}

fn assert_says(message: &str, parts: &[&str]) {
    for part in parts {
        assert!(message.contains(part), "no '{part}' in: {message}");
    }
}

#[test]
fn weights_of_another_resnet_are_refused_by_name() {
    let folder = tempfile::tempdir().expect("a folder");
    let kinds = BackboneKind::NAMES;
    let networks: Vec<Vec<Parameter>> = kinds.iter().map(|(_, kind)| network(*kind, 1)).collect();
    for ((name, _), parameters) in kinds.iter().zip(&networks) {
        // Values do not matter here; zeros are made fastest.
        let zeros = |one: &Parameter| {
            let zeros = Tensor::zeros(one.file_shape(), DType::F32, &Device::Cpu).expect("a tensor");
            (one.name.clone(), zeros)
        };
        let tensors: NamedTensors = parameters.iter().map(zeros).collect();
        let files = [
            safetensors(folder.path(), "plain.safetensors", &tensors),
            safetensors(folder.path(), "model.safetensors", &prefixed(&tensors, "base_net.")),
            pth(folder.path(), "plain.pth", &[("", &tensors)]),
            pth(folder.path(), "parallel.pth", &[("state_dict", &prefixed(&tensors, "module."))]),
        ];
        for ((other, _), theirs) in kinds.iter().zip(&networks) {
            for file in files.iter().take(if name.len() + other.len() < 14 { 4 } else { 2 }) {
                let outcome = load_backbone(theirs, file);
                if name == other {
                    outcome.unwrap_or_else(|error| panic!("{name}: {error}"));
                } else {
                    let message = outcome.expect_err("another network").to_string();
                    let [ours, found] = [format!("weights of {other} ("), format!("found those of {name} (")];
                    assert_says(&message, &[&ours, &found, &format!("--backbone {name}")]);
                }
            }
        }
    }
}

#[test]
fn what_surrounds_a_network_is_taken_off() {
    let folder = tempfile::tempdir().expect("a folder");
    let tensors = trained();
    for prefix in
        ["", "base_net.", "module.", "backbone.", "_orig_mod.", "model.", "net.module.", "module.encoder_q."]
    {
        let path = safetensors(folder.path(), "a.safetensors", &prefixed(&tensors, prefix));
        let remarks = load(&path, &tensors);
        match prefix {
            "" | "base_net." => assert!(remarks.is_empty(), "{remarks:?}"),
            _ => assert_says(&remarks[0], &["a.safetensors", &format!("begin with '{prefix}'")]),
        }
        load(&pth(folder.path(), "a.pth", &[("", &prefixed(&tensors, prefix))]), &tensors);
    }
    for wrapper in [
        "state_dict",
        "model",
        "net",
        "model_state_dict",
        "model_dict",
        "ema_state_dict",
        "weights",
        "teacher",
    ] {
        load(&pth(folder.path(), "wrapped.pth", &[(wrapper, &tensors)]), &tensors);
        load(
            &pth(folder.path(), "wrapped.pth", &[(wrapper, &prefixed(&tensors, "module.backbone."))]),
            &tensors,
        );
    }
    // What only accompanies a network is not taken, and that is said.
    let other = named(&network(BackboneKind::Small, 3)).expect("tensors");
    let path = pth(folder.path(), "two.pth", &[("model_ema", &other), ("net", &tensors)]);
    let remarks = load(&path, &tensors).join("\n");
    assert_says(&remarks, &["took the network under 'net.', not the one under 'model_ema.'"]);
    let both =
        [prefixed(&tensors, "encoder_q."), prefixed(&other, "encoder_k.")].into_iter().flatten().collect();
    load(&safetensors(folder.path(), "moco.safetensors", &both), &tensors);
    // A checkpoint of ours has the momentum of every tensor beside it.
    let both = [prefixed(&tensors, "base_net."), prefixed(&other, "momentum.base_net.")]
        .into_iter()
        .flatten()
        .collect();
    assert!(load(&safetensors(folder.path(), "last.safetensors", &both), &tensors).is_empty());
    // Between two networks of equal rank nobody here can decide.
    let both = [prefixed(&tensors, "student."), prefixed(&other, "critic.")].into_iter().flatten().collect();
    let path = safetensors(folder.path(), "both.safetensors", &both);
    assert_says(
        &refusal(BackboneKind::Small, &path),
        &["one residual network, found several, under 'critic.', 'student.'"],
    );
}

#[test]
fn a_network_that_is_not_the_one_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let refuse = |change: &dyn Fn(&mut NamedTensors)| {
        let mut tensors = trained();
        change(&mut tensors);
        refusal(BackboneKind::Small, &safetensors(folder.path(), "other.safetensors", &tensors))
    };
    let zero = || Tensor::zeros(16, DType::F32, &Device::Cpu).expect("a tensor");
    let bias = refuse(&|tensors| drop(tensors.insert("layer1.0.conv1.bias".into(), zero())));
    assert_says(
        &bias,
        &["the tensors of small", "1 more that it does not have, such as 'layer1.0.conv1.bias'"],
    );
    let block = refuse(&|tensors| drop(tensors.insert("layer3.6.bn1.bias".into(), zero())));
    assert_says(
        &block,
        &["weights of small (1 + 1 + 1 + 1 blocks", "another residual network (1 + 1 + 7 + 1 blocks"],
    );
    let lacking = refuse(&|tensors| drop(tensors.remove("layer4.0.bn2.running_var")));
    assert_says(&lacking, &["'layer4.0.bn2.running_var' of shape [128], found no tensor of that name"]);
    let renamed = refuse(&|tensors| *tensors = [("features.0.weight".to_owned(), zero())].into());
    assert_says(
        &renamed,
        &["a residual network by torchvision's names", "1 tensors named otherwise, such as features.0"],
    );
    let broken = refuse(&|tensors| {
        let wrong = Tensor::full(f32::NAN, 16, &Device::Cpu).expect("a tensor");
        tensors.insert("bn1.weight".into(), wrong);
    });
    assert_says(
        &broken,
        &["finite numbers as weights, found 'bn1.weight' with a value that is none", "had failed"],
    );
    // Counters are no weights, a head of one's own is left alone.
    let mut tensors = trained();
    tensors.insert(
        "layer1.0.bn1.num_batches_tracked".into(),
        Tensor::new(7i64, &Device::Cpu).expect("a tensor"),
    );
    tensors.insert("fc.weight".into(), zero());
    load(&safetensors(folder.path(), "head.safetensors", &tensors), &tensors);
}

#[test]
fn weights_that_were_never_trained_are_remarked() {
    let folder = tempfile::tempdir().expect("a folder");
    let fresh = named(&network(BackboneKind::Small, 1)).expect("tensors");
    let remarks = load(&safetensors(folder.path(), "fresh.safetensors", &fresh), &fresh);
    assert_says(&remarks[0], &["fresh.safetensors: the running means are all 0", "never trained"]);
    let tensors = trained();
    assert!(load(&safetensors(folder.path(), "trained.safetensors", &tensors), &tensors).is_empty());
}

#[test]
fn a_network_in_several_files_is_read_whole_or_says_what_lacks() {
    let folder = tempfile::tempdir().expect("a folder");
    let all = trained();
    let middle = all.len() / 2;
    let half = |first: bool| -> NamedTensors {
        all.clone()
            .into_iter()
            .enumerate()
            .filter(|(i, _)| (*i < middle) == first)
            .map(|(_, one)| one)
            .collect()
    };
    let first = safetensors(folder.path(), "model-00001-of-00002.safetensors", &half(true));
    let map: serde_json::Map<String, serde_json::Value> = all
        .keys()
        .enumerate()
        .map(|(i, name)| {
            (name.clone(), format!("model-0000{}-of-00002.safetensors", 1 + usize::from(i >= middle)).into())
        })
        .collect();
    let index = folder.path().join("model.safetensors.index.json");
    std::fs::write(&index, serde_json::json!({"metadata": {}, "weight_map": map}).to_string())
        .expect("a file");
    for path in [&first, &index] {
        let message = refusal(BackboneKind::Small, path);
        assert_says(
            &message,
            &["all 2 shards", "1 of them missing: model-00002-of-00002.safetensors", "same folder"],
        );
    }
    safetensors(folder.path(), "model-00002-of-00002.safetensors", &half(false));
    for path in [&first, &index] {
        load(path, &all);
    }
}

#[test]
fn every_protocol_of_pickles_opens() {
    // for protocol in [2, 3, 4, 5]:
    //     torch.save({"net": state, "epoch": 3}, f"protocol_{protocol}.pth", pickle_protocol=protocol)
    // with `state` as in tests/weights.rs.
    let expected = read(&fixture("torchvision.pth")).expect("a file");
    for protocol in [2, 3, 4, 5] {
        let path = fixture(&format!("protocol_{protocol}.pth"));
        let tensors = read(&path).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(tensors.len(), expected.len());
        for (name, tensor) in &expected {
            let numbers = |tensor: &Tensor| tensor.to_dtype(DType::F64)?.flatten_all()?.to_vec1::<f64>();
            let found = numbers(&tensors[&format!("net.{name}")]).expect("numbers");
            assert_eq!(found, numbers(tensor).expect("numbers"), "{name}");
        }
    }
}

fn fixture(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/weights").join(name)
}
