//! A method of one's own: after one `impl` and one row it is trained, swept, reported and coloured.

use candle_core::backprop::GradStore;
use candle_core::{Tensor, Var};
use toalign::Result;
use toalign::config::{Checked, RunConfig, Weights};
use toalign::data::batches::test_batches;
use toalign::draw::Bars;
use toalign::draw::style::{Marker, colour_of, display_name, method_colour, method_marker};
use toalign::method::alignment::Alignment;
use toalign::method::dannp::Dannp;
use toalign::method::table::{Entry, Look, TargetUse, baseline_of, register};
use toalign::method::{Losses, Method, StepInput};
use toalign::model::{DiscriminatorInput, HeadKind, Model};
use toalign::nn::parameters::Role;
use toalign::nn::sgd::GroupRates;
use toalign::notebook::live_sweep::watch;
use toalign::report::selection::Choice;
use toalign::report::text::text;
use toalign::runs::find::find_runs;
use toalign::runs::session::{Session, Trained};
use toalign::runs::sweep::{Ended, Plan};
use toalign::setup::{make_method, make_model};
use toalign::train::observer::{Kept, Recorder};
use toalign::train::record::Record;

/// DANNP's gradient here, plus the one where a step along it would lead.
struct LooksAhead(Dannp);

impl Method for LooksAhead {
    fn losses(&self, model: &Model, input: &StepInput) -> Result<Losses> {
        self.0.losses(model, input)
    }

    fn gradients(
        &self,
        model: &Model,
        input: &StepInput,
        rates: &GroupRates,
        losses: &mut Losses,
    ) -> Result<GradStore> {
        let mut sum = losses.total.backward()?;
        let trained: Vec<Var> = model
            .parameters()
            .into_iter()
            .filter(|parameter| matches!(parameter.role, Role::Trained(_)))
            .map(|parameter| parameter.value)
            .collect();
        let before = trained.iter().map(|weight| weight.copy()).collect::<candle_core::Result<Vec<_>>>()?;
        for weight in &trained {
            let there = (weight.as_detached_tensor() - (sum.get(weight).unwrap() * rates.backbone)?)?;
            weight.set(&there)?;
        }
        let ahead = self.0.losses(model, input)?;
        let gradients = ahead.total.backward()?;
        for (weight, before) in trained.iter().zip(before) {
            weight.set(&before)?;
            let both = (sum.get(weight).unwrap() + gradients.get(weight).unwrap())?;
            sum.insert(weight, both);
        }
        losses.parts.push(("ahead", ahead.total));
        Ok(sum)
    }
}

const ROW: Entry = Entry {
    key: "looks-ahead",
    summary: "DANNP with a second gradient where the first one leads",
    reference: "",
    look: Look { name: "Looks ahead", colour: [0x12, 0x34, 0x56] },
    with_toalign: Some(Look { name: "Looks ahead+ToAlign", colour: [0x65, 0x43, 0x21] }),
    published_as: &[],
    published_cost: [None, None],
    target: TargetUse::Loss,
    head: HeadKind::Linear,
    discriminator: Some(DiscriminatorInput::Probabilities),
    entropy_conditioning: true,
    alignment_weight: 0.5,
    make: |alignment: Alignment| Box::new(LooksAhead(Dannp { alignment })),
};

fn base() -> RunConfig {
    RunConfig {
        steps: 4,
        test_every: 2,
        log_every: 1,
        checkpoint_every: 2,
        batch_size: 4,
        discriminator_hidden: 8,
        alignment_weight: None,
        weights: Weights::None,
        ..RunConfig::mini()
    }
}

/// One test: the row is registered once for the whole process.
#[test]
fn one_impl_and_one_row_are_all_that_a_method_needs() {
    register(ROW).unwrap();
    assert!(register(ROW).unwrap_err().to_string().contains("expected a key that no method has yet"));
    let nameless = register(Entry { key: "Mine+toalign", ..ROW }).unwrap_err().to_string();
    assert!(nameless.contains("expected a key of lower-case letters, digits and -"), "{nameless}");

    // Configured, by name and by key of a file.
    let config = base().with_method_name("looks-ahead+toalign").unwrap();
    assert_eq!((config.method_name().as_str(), config.alignment_factor()), ("looks-ahead+toalign", 0.5));
    let written = config.to_toml().unwrap();
    assert!(written.contains("method = \"looks-ahead\""), "{written}");
    assert_eq!(base().overlaid_by(&written, "run.toml".as_ref()).unwrap(), config);
    let misspelt = base().with_method_name("look-ahead").unwrap_err().to_string();
    assert!(misspelt.contains("did you mean 'looks-ahead'?"), "{misspelt}");

    let config = config.check().unwrap();
    two_equal_gradients_add_up(&config);

    // Trained.
    let mut records = Recorder::default();
    let session = Session::new(config).unwrap();
    assert!(session.trainer().unwrap().run(&mut [&mut records]).unwrap().finished);
    let ahead: Vec<f64> =
        records.0.iter().filter_map(|record| record.loss("ahead")).map(|(_, l)| l).collect();
    assert_eq!(ahead.len(), 4);
    let Some(Record::Start { method, .. }) = records.0.first() else { panic!("{:?}", records.0.first()) };
    assert_eq!(method, "looks-ahead+toalign");

    // Swept, and opened again.
    let folder = tempfile::tempdir().unwrap();
    let methods = ["source-only", "looks-ahead", "looks-ahead+toalign"];
    let plan = Plan::new(&base(), &["Cl-Rw"], &methods, &[1, 2]).unwrap();
    let ended = watch(&plan, folder.path(), 1).unwrap();
    assert!(ended.iter().all(|ended| matches!(ended, Ended::Finished(_))), "{ended:?}");
    let run = folder.path().join("mini/Cl-Rw/looks-ahead+toalign/1");
    Trained::open(&run, Kept::Last, base().device).unwrap();

    // Reported.
    let found = find_runs(folder.path()).unwrap();
    let report = text(&found, &[], Choice::Last).unwrap();
    for said in ["6 finished runs", "Looks ahead − Source only", "Looks ahead+ToAlign − Looks ahead"] {
        assert!(report.contains(said), "{said}: {report}");
    }
    let head = report.lines().find(|line| line.starts_with("task")).unwrap();
    assert!(head.find("Source only").unwrap() < head.find("Looks ahead").unwrap(), "{head}");
    assert_eq!(baseline_of("looks-ahead+toalign"), Some("looks-ahead"));

    // Coloured.
    assert_eq!(display_name("looks-ahead+toalign"), "Looks ahead+ToAlign");
    assert_eq!(method_colour("looks-ahead"), ROW.look.colour);
    assert_eq!(colour_of("looks-ahead+toalign", 0), [0x65, 0x43, 0x21]);
    assert_eq!(method_marker("looks-ahead+toalign"), Marker::Triangle);
    assert_eq!(method_marker("looks-ahead"), Marker::Circle);
    let svg = Bars::new("b", "v").bar("looks-ahead", 50.0).to_svg().unwrap();
    assert!(svg.contains("#123456") && svg.contains("Looks ahead"), "{svg}");
}

/// Where the step leads nowhere, the second gradient is the first; and the weights stay as they were.
fn two_equal_gradients_add_up(config: &Checked) {
    let model = make_model(config, 12, 1).unwrap();
    let task = toalign::setup::open_task(config).unwrap();
    let transform = toalign::config::transform(config);
    let batch =
        |domain| test_batches(domain, transform.clone(), 4, model.device()).unwrap().next().unwrap().unwrap();
    let (source, target) = (batch(task.source.clone()), batch(task.target.clone()));
    let input = StepInput {
        source_images: &source.images,
        source_labels: &source.labels,
        target_images: Some(&target.images),
        reversal_coefficient: 0.5,
        seed: 1,
        step: 3,
    };
    let rates = GroupRates { backbone: 0.0, head: 0.0, discriminator: 0.0 };
    let method = make_method(config);
    let weight = model.head.classifier.weight.clone();
    let numbers = |tensor: &Tensor| tensor.flatten_all().unwrap().to_vec1::<f32>().unwrap();
    let before = numbers(&weight);
    // A loss of its own: the backbone gives back what one backward pass needs after that pass.
    let alone = method.losses(&model, &input).unwrap().total.backward().unwrap();
    let mut losses = method.losses(&model, &input).unwrap();
    let both = method.gradients(&model, &input, &rates, &mut losses).unwrap();
    let twice: Vec<f32> = numbers(alone.get(&weight).unwrap()).iter().map(|g| 2.0 * g).collect();
    assert_eq!(numbers(both.get(&weight).unwrap()), twice);
    assert_eq!(numbers(&weight), before);
    assert_eq!(losses.parts.len(), 3);
}
