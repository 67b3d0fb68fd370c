//! `toalign explain`: several maps of the same pictures side by side; or, by measure, which kind of map is better.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use clap::Args;
use toalign::Result;
use toalign::config::{DataSource, DeviceChoice, transform};
use toalign::data::decode::decode_file;
use toalign::draw::picture::{png_bytes, png_uri};
use toalign::draw::{Figure, PictureGrid};
use toalign::error::{complain, file_error, nearest};
use toalign::explain::maps;
use toalign::explain::measured::{MEASURES, Row, measure};
use toalign::explain::view::{Explained, Shown, TALK, View, explain};
use toalign::files::write_atomically;
use toalign::model::resnet::Layer;
use toalign::report::map_measures::{CSV_HEAD, measures_csv, measures_table};
use toalign::runs::session::Trained;
use toalign::setup::open_task;

use super::eval::{Which, require_data};
use super::say::{remark, say};

/// Each picture of the sheet is this long on the page.
const SIDE: u32 = 150;

/// The pictures, the run whose model looks at them, and how they are explained.
#[derive(Args)]
#[command(after_help = "\
Examples:
  toalign explain mug.jpg bike.jpg --run runs/mini/Cl-Rw/hda/1                 the talk's four maps, explanation.png
  toalign explain mug.jpg --run runs/mini/Cl-Rw/hda/1 --compare runs/mini/Cl-Rw/hda+toalign/1
  toalign explain mug.jpg --run RUN --maps grad-cam,layer-cam,guided-backprop --layer layer3 --class Mug --raw raw
  toalign explain --measure --run RUN --maps grad-cam,grad-cam++ --pictures 60   drop, deletion, ROAD, … on both domains
Maps: grad-cam, grad-cam++, grad-cam++-authors, grad-cam++-epsilon, hires-cam, layer-cam, x-grad-cam, element-wise, eigen-cam,
eigen-grad-cam; each of them behind guided-; guided-backprop.")]
pub struct Explain {
    /// Pictures to explain.
    #[arg(required_unless_present = "measure", value_name = "IMAGE")]
    images: Vec<PathBuf>,
    /// Folder of the run, as `toalign train` prints it.
    #[arg(long, value_name = "DIR")]
    run: PathBuf,
    /// A second run of the same classes, shown or measured beside it.
    #[arg(long, value_name = "DIR")]
    compare: Option<PathBuf>,
    /// Which of its checkpoints.
    #[arg(long, default_value = "last")]
    checkpoint: Which,
    /// Kinds of maps, separated by commas.
    #[arg(long, value_delimiter = ',', default_values_t = TALK.map(str::to_owned))]
    maps: Vec<String>,
    /// The layer whose map is explained: layer1 to layer4.
    #[arg(long, default_value = "layer4")]
    layer: String,
    /// The class to explain, by its name [default: the one that the network takes each picture for].
    #[arg(long, value_name = "NAME")]
    class: Option<String>,
    /// File for the sheet.
    #[arg(long, value_name = "FILE", default_value = "explanation.png")]
    out: PathBuf,
    /// The same as a page that needs no other file.
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Folder for the raw numbers of every map, one safetensors file for each picture.
    #[arg(long, value_name = "DIR")]
    raw: Option<PathBuf>,
    /// Measure the kinds of maps over both domains of the run instead.
    #[arg(long, conflicts_with_all = ["images", "html", "raw", "class"])]
    measure: bool,
    /// Other data than the run's, for --measure.
    #[arg(long, requires = "measure")]
    data: Option<DataSource>,
    /// The same as a file of comma-separated values, for --measure.
    #[arg(long, value_name = "FILE", requires = "measure")]
    csv: Option<PathBuf>,
    /// How many pictures of each domain are measured, evenly spaced.
    #[arg(long, default_value_t = 60, requires = "measure")]
    pictures: usize,
    /// Where to compute: `auto`, `cpu`, `cuda` or `cuda:N`.
    #[arg(long, default_value_t)]
    device: DeviceChoice,
}

impl Explain {
    /// Writes the sheet, or prints the measures.
    pub fn run(self) -> Result<()> {
        let layer = Layer::of_name(&self.layer)?;
        let views: Vec<View> = self.maps.iter().map(|key| View::of_key(key)).collect::<Result<_>>()?;
        let mut runs = vec![self.open(&self.run)?];
        if let Some(other) = &self.compare {
            let other = self.open(other)?;
            if other.header.classes != runs[0].header.classes {
                let [one, two] = [&runs[0], &other].map(|run| run.header.classes.join(", "));
                return Err(complain(format!("a run of the same classes: {one}"), two)
                    .at("--compare")
                    .into());
            }
            runs.push(other);
        }
        match self.measure {
            true => self.measured(&runs, layer),
            false => self.sheet(&runs, layer, &views),
        }
    }

    fn open(&self, folder: &Path) -> Result<Trained> {
        Trained::open(folder, self.checkpoint.into(), self.device)
    }

    fn sheet(&self, runs: &[Trained], layer: Layer, views: &[View]) -> Result<()> {
        let classes = &runs[0].header.classes;
        let class = self.class.as_deref().map(|name| class_of(name, classes)).transpose()?;
        let (mut pictures, mut captions, mut rows) = (Vec::new(), Vec::new(), Vec::new());
        for image in &self.images {
            let stem = image.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            let mut raw = HashMap::new();
            for run in runs {
                let transform = transform(&run.header.config);
                let picture = decode_file(image, run.header.config.background.map(|colour| colour.0))?;
                let scale = (2 * SIDE).div_ceil(transform.crop).max(1);
                let found = explain(&run.model, &transform, &picture, class, layer, views, scale)?;
                let method = run.header.config.method_name();
                rows.push(if runs.len() > 1 { method.clone() } else { stem.clone() });
                add(&found, classes, &mut pictures, &mut captions);
                for (key, (_, numbers)) in self.maps.iter().zip(found.views) {
                    let name = if runs.len() > 1 { format!("{method}/{key}") } else { key.clone() };
                    raw.insert(name, numbers.contiguous()?);
                }
            }
            if let Some(folder) = &self.raw {
                std::fs::create_dir_all(folder).map_err(|error| file_error("create", folder, error))?;
                let bytes = safetensors::serialize(&raw, None)
                    .map_err(|error| complain("maps that can be written", error.to_string()))?;
                write_atomically(&folder.join(format!("{stem}.safetensors")), &bytes)?;
            }
        }
        let heads = std::iter::once("picture".to_owned()).chain(views.iter().map(|view| view.name()));
        let title = format!("{} after {}", runs[0].header.config.task, self.layer);
        let sheet = PictureGrid::new(&title, pictures)
            .columns(1 + views.len())
            .size(SIDE)
            .rows(rows)
            .heads(heads)
            .captions(captions);
        let drawn = sheet.draw()?;
        write_atomically(&self.out, &png_bytes(&drawn)?)?;
        if let Some(page) = &self.html {
            let uri = png_uri(&drawn, u32::MAX)?;
            let (wide, note) = (drawn.width() / toalign::draw::SCALE, toalign::explain::guided::NOTE);
            let text = format!(
                "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<title>toalign explain</title>\n\
                 <img src=\"{uri}\" width=\"{wide}\" alt=\"Heat maps\">\n<p>{note}</p>\n</html>\n"
            );
            write_atomically(page, text.as_bytes())?;
        }
        say(format!("{} pictures in {}", self.images.len(), self.out.display()))
    }

    fn measured(&self, runs: &[Trained], layer: Layer) -> Result<()> {
        let kinds: Vec<_> = match self.maps == TALK {
            true => vec![maps::find("grad-cam")?, maps::find("grad-cam++")?],
            false => self.maps.iter().map(|key| maps::find(key)).collect::<Result<_>>()?,
        };
        let mut config = runs[0].header.config.clone();
        require_data(&config, self.data.as_ref())?;
        config.data = self.data.clone().unwrap_or(config.data);
        let config = config.check()?;
        let task = open_task(&config)?;
        remark(&task.remarks);
        let mut csv = String::from(CSV_HEAD);
        for (domain, part) in [(&task.source, "source"), (&task.target, "target")] {
            let all = domain.pictures.len();
            let count = self.pictures.clamp(1, all);
            let chosen: Vec<usize> = (0..count).map(|number| number * all / count).collect();
            let mut measured: Vec<(String, Vec<Row>)> = Vec::new();
            for run in runs {
                run.require_classes(&task.classes)?;
                let rows =
                    measure(&run.model, &transform(&run.header.config), domain, &chosen, &kinds, layer)?;
                let (method, seed) = (run.header.config.method_name(), run.header.config.seed.to_string());
                csv += &measures_csv([&task.name, &method, &seed, &domain.name, &self.layer], &rows);
                measured.push((method, rows));
            }
            say(format!("{} ({part}), {count} pictures, {}", domain.name, self.layer))?;
            for (method, rows) in &measured {
                say(method)?;
                say(measures_table(rows))?;
            }
            if let [(first, one), (second, two)] = &measured[..] {
                let differences: Vec<Row> =
                    one.iter().zip(two).filter_map(|(one, two)| two.minus(one)).collect();
                say(format!("{second} − {first}, picture by picture"))?;
                say(measures_table(&differences))?;
            }
        }
        if let Some(path) = &self.csv {
            write_atomically(path, csv.as_bytes())?;
        }
        for (name, what) in MEASURES {
            say(format!("{name}: {what}"))?;
        }
        say("Mean ± standard error over the pictures. The last row is a map that knows nothing.")
    }
}

/// The picture and its views, each with words below.
fn add(
    found: &Explained,
    classes: &[String],
    pictures: &mut Vec<image::RgbImage>,
    captions: &mut Vec<String>,
) {
    let class = classes.get(found.class as usize).map_or("", String::as_str);
    pictures.push(found.picture.clone());
    captions.push(format!("{class}\n{:.0} %", 100.0 * found.probability));
    for (shown, _) in &found.views {
        match shown {
            Shown::Picture(picture) => {
                pictures.push(picture.clone());
                captions.push(String::new());
            }
            Shown::NoEvidence => {
                pictures.push(found.picture.clone());
                captions.push("no positive\nevidence".into());
            }
        }
    }
}

/// The number of a class by its name.
fn class_of(name: &str, classes: &[String]) -> Result<u32> {
    let found = classes.iter().position(|class| class.eq_ignore_ascii_case(name));
    found.map(|class| class as u32).ok_or_else(|| {
        let near = nearest(name, classes.iter().map(String::as_str));
        let advice = near
            .map_or(format!("the run knows {}", classes.join(", ")), |near| format!("did you mean {near}?"));
        complain(format!("one of the run's {} classes", classes.len()), format!("'{name}'"))
            .at("--class")
            .advice(&advice)
            .into()
    })
}
