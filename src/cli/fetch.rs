//! `toalign data fetch`: Office-Home and pretrained weights from the hub, icons by way of npm.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use indicatif::{ProgressBar, ProgressStyle};
use toalign::Result;
use toalign::data::hub::{Event, Hub, Place, Settings, unpack};
use toalign::data::icons::{self, Fetched};
use toalign::data::office_home;
use toalign::model::pretrained;
use toalign::model::resnet::BackboneKind;
use toalign::report::table::{Align, Table};

use super::say::{remark, say};

/// What to fetch.
#[derive(Args)]
#[command(after_help = "\
Interrupted, the same command goes on where it stopped. HF_ENDPOINT, HF_TOKEN, HF_HOME, HF_HUB_CACHE,
HF_HUB_OFFLINE=1 and HTTPS_PROXY mean what they mean for the hub's own tools.

Examples:
  toalign data fetch office-home --out pictures/office-home
  toalign data fetch weights --backbone resnet50
  toalign data fetch icons --out pictures/icons")]
pub struct Fetch {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// The 15,588 pictures of Office-Home, into folders DIR/<domain>/<class> (1.2 GB, twice while unpacking)
    OfficeHome(OfficeHome),
    /// 53 of Office-Home's classes as 3,657 icons in four styles, into folders DIR/<style>/<class> (50 MB; needs npm)
    Icons(Icons),
    /// Weights of a ResNet that was trained on ImageNet, into the hub's cache
    Weights(Weights),
}

#[derive(Args)]
struct OfficeHome {
    /// Where to put the pictures.
    #[arg(long, value_name = "DIR", default_value = "office-home")]
    out: PathBuf,
    /// The data set's name on the hub.
    #[arg(long, value_name = "OWNER/NAME", default_value = unpack::REPOSITORY)]
    repo: String,
    /// Its branch, tag or commit.
    #[arg(long, default_value = "main")]
    revision: String,
}

#[derive(Args)]
struct Icons {
    /// Where to put the pictures.
    #[arg(long, value_name = "DIR", default_value = "icons")]
    out: PathBuf,
}

#[derive(Args)]
struct Weights {
    /// Which ResNet.
    #[arg(long, value_enum, default_value_t = BackboneKind::ResNet50)]
    backbone: BackboneKind,
    /// The model's name on the hub [default: torchvision's first weights, timm/<backbone>.tv_in1k].
    #[arg(long, value_name = "OWNER/NAME")]
    repo: Option<String>,
    /// Its branch, tag or commit.
    #[arg(long, default_value = "main")]
    revision: String,
}

impl Fetch {
    /// Fetches it, and says how to use it.
    pub fn run(self) -> Result<()> {
        let bar = ProgressBar::new(0);
        let watch = |event: Event<'_>| show(&bar, event);
        match self.what {
            What::OfficeHome(OfficeHome { out, repo, revision }) => {
                let hub = Hub::new(Settings::from_env())?;
                let place = Place::dataset(&repo, &revision);
                let pictures = unpack::office_home(&hub, &place, &out, &office_home::classes()?, &watch)?;
                bar.finish_and_clear();
                say(format!("{}: {pictures} pictures, as published", out.display()))?;
                say(format!("use them with --data office-home:{} --task Ar-Cl", out.display()))
            }
            What::Icons(Icons { out }) => {
                let fetched = icons::fetch(&out, &watch)?;
                bar.finish_and_clear();
                say_icons(&fetched)?;
                say(format!("{}: who made them stands in ATTRIBUTION.md", out.display()))?;
                say(format!("use them with --data icons:{} --task Li-So", out.display()))
            }
            What::Weights(Weights { backbone, repo, revision }) => {
                let own = repo.is_none() && revision == "main";
                let repo = repo.map_or_else(|| pretrained::repository(backbone), Ok)?;
                let hub = Hub::new(Settings::from_env())?;
                let file = pretrained::fetch(&hub, &Place::model(&repo, &revision), &watch)?;
                bar.finish_and_clear();
                say(file.display())?;
                match own {
                    true => say(format!("use it with --backbone {backbone} --weights pretrained")),
                    false => say(format!("use it with --backbone {backbone} --weights {}", file.display())),
                }
            }
        }
    }
}

/// Prints how many pictures there are of each class, and what is not there.
fn say_icons(fetched: &Fetched) -> Result<()> {
    let heads = icons::DOMAINS.map(|domain| (domain, Align::Right));
    let mut table = Table::new([("class", Align::Left)].into_iter().chain(heads));
    let all = ("all".to_owned(), fetched.pictures());
    for (class, counts) in fetched.classes.iter().chain([&all]) {
        table.push([class.clone()].into_iter().chain(counts.map(|count| count.to_string())));
    }
    say(table)?;
    let pictures: usize = fetched.pictures().iter().sum();
    let (classes, sets) = (fetched.classes.len(), fetched.sets);
    say(format!(
        "{pictures} pictures of {classes} classes from {sets} of {} sets",
        sets + fetched.gone.len()
    ))?;
    let named =
        |what: &str, names: &[String]| (!names.is_empty()).then(|| format!("{what}: {}", names.join(", ")));
    let notes = [
        named("npm does not have these sets any more, and the counts are without them", &fetched.gone),
        named("left out, since two styles or more have too few pictures of them", &fetched.left_out),
        named("left out, since they cannot be drawn", &fetched.not_drawn),
    ];
    remark(&notes.into_iter().flatten().collect::<Vec<_>>());
    Ok(())
}

fn show(bar: &ProgressBar, event: Event<'_>) {
    let (template, message, done, all) = match event {
        Event::Bytes { file, done, size } => (
            "{msg}\n{wide_bar} {bytes}/{total_bytes}, {bytes_per_sec}, {eta} left",
            file.to_owned(),
            done,
            size,
        ),
        Event::Sets { set, done, all } => (
            "{msg}\n{wide_bar} {pos}/{len} sets, {eta} left",
            format!("fetching {set}"),
            done as u64,
            all as u64,
        ),
        Event::Pictures { done, all } => (
            "{msg}\n{wide_bar} {pos}/{len} pictures, {eta} left",
            "writing".to_owned(),
            done as u64,
            all as u64,
        ),
        Event::Waiting { reason, pause } => {
            let line = format!("{reason}; trying again in {:.1} s", pause.as_secs_f64());
            return bar.suspend(|| eprintln!("note: {line}"));
        }
    };
    if bar.message() != message {
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        bar.set_message(message);
        bar.reset_eta();
    }
    bar.set_length(all);
    bar.set_position(done);
}
