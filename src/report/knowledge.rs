//! What a network knows, as a sheet of boxes on pictures and as a table of classes.

use super::table::{Align, Table};
use super::write::cell;
use crate::data::dataset::UNLABELLED;
use crate::data::transform::Transform;
use crate::draw::PictureGrid;
use crate::error::Result;
use crate::explain::knowledge::Knowledge;
use crate::explain::knowledge::matching::boxed;

/// Each picture is drawn so many pixels long.
const SIDE: u32 = 112;

/// A row for each of some classes: the `most` prototypes that say most for it, each as a patch of a source picture with its target
/// partner beside it.
///
/// # Errors
/// If a picture cannot be read.
pub fn knowledge_sheet(
    knowledge: &Knowledge,
    transform: &Transform,
    classes: &[String],
    shown: &[usize],
    most: usize,
) -> Result<PictureGrid> {
    let prototypes = &knowledge.learned.prototypes;
    let per_class = most.clamp(1, prototypes.count() / prototypes.classes());
    let scale = (2 * SIDE).div_ceil(transform.crop).max(1);
    let (mut pictures, mut captions) = (Vec::new(), Vec::new());
    for class in shown {
        for one in knowledge.of_class(*class).into_iter().take(per_class) {
            let source =
                boxed(prototypes, one.prototype, &knowledge.source, one.source.picture, transform, scale)?;
            captions
                .push(one.transfer.map_or("no partner".into(), |transfer| format!("transfer {transfer:.2}")));
            match one.target {
                Some((patch, distance)) => {
                    pictures.push(source);
                    pictures.push(boxed(
                        prototypes,
                        one.prototype,
                        &knowledge.target,
                        patch.picture,
                        transform,
                        scale,
                    )?);
                    captions.push(format!("δ = {distance:.3}"));
                }
                None => {
                    pictures.push(source.clone());
                    pictures.push(image::RgbImage::from_pixel(
                        source.width(),
                        source.height(),
                        image::Rgb([255; 3]),
                    ));
                    captions.push("nothing is taken for it".into());
                }
            }
        }
    }
    let [source, target] = [&knowledge.source, &knowledge.target].map(|patches| patches.domain.name.clone());
    Ok(PictureGrid::new("Prototypes: source patch and its target partner", pictures)
        .columns(2 * per_class)
        .size(SIDE)
        .rows(shown.iter().map(|class| classes[*class].clone()))
        .heads((0..per_class).flat_map(|_| [source.clone(), target.clone()]))
        .captions(captions))
}

/// How well the prototypes answer in place of the network.
pub fn answers_table(knowledge: &Knowledge) -> Table {
    let heads = ["pictures", "agreement %", "network right %", "prototypes right %"];
    let mut table =
        Table::new([("domain", Align::Left)].into_iter().chain(heads.map(|head| (head, Align::Right))));
    let domains = [(&knowledge.source, "source"), (&knowledge.target, "target")];
    for ((patches, part), answers) in domains.into_iter().zip(&knowledge.answers) {
        let percent =
            |share: Option<f64>| share.map_or("no labels".into(), |share| format!("{:.1}", 100.0 * share));
        table.push([
            format!("{} ({part})", patches.domain.name),
            patches.count().to_string(),
            percent(Some(answers.agreement)),
            percent(answers.of_network),
            percent(answers.of_prototypes),
        ]);
    }
    table
}

/// What the network does with one class in the target.
struct Taken {
    /// Pictures that it takes for the class.
    all: usize,
    /// Of those with a label, the share that is of the class; none if none has a label.
    right: Option<f64>,
}

fn taken(knowledge: &Knowledge, class: usize) -> Result<Taken> {
    let taken = knowledge.target.of_class(class)?;
    let known = taken.iter().map(|picture| knowledge.target.labels[*picture as usize]);
    let known: Vec<u32> = known.filter(|label| *label != UNLABELLED).collect();
    let right = known.iter().filter(|label| **label as usize == class).count();
    let right = (!known.is_empty()).then(|| right as f64 / known.len() as f64);
    Ok(Taken { all: taken.len(), right })
}

/// A row for each class, the least transferred first: what rests on the source alone, and how the network answers there.
///
/// # Errors
/// If candle cannot read the classes.
pub fn classes_table(knowledge: &Knowledge, classes: &[String]) -> Result<Table> {
    let heads = ["transfer", "least and most", "target pictures taken for it", "of them right %"];
    let mut table =
        Table::new([("class", Align::Left)].into_iter().chain(heads.map(|head| (head, Align::Right))));
    let mut order: Vec<usize> = (0..classes.len()).collect();
    let transfer = |class: &usize| knowledge.transfer(*class).unwrap_or(-1.0);
    order.sort_by(|one, other| transfer(one).total_cmp(&transfer(other)));
    for class in order {
        let mut each: Vec<f64> = knowledge.of_class(class).iter().filter_map(|one| one.transfer).collect();
        each.sort_by(f64::total_cmp);
        let range = match &each[..] {
            [least, .., most] => format!("{least:.2} {most:.2}"),
            _ => String::new(),
        };
        let taken = taken(knowledge, class)?;
        table.push([
            classes[class].clone(),
            knowledge.transfer(class).map_or("none".into(), |transfer| format!("{transfer:.2}")),
            range,
            taken.all.to_string(),
            taken.right.map_or(String::new(), |right| format!("{:.1}", 100.0 * right)),
        ]);
    }
    Ok(table)
}

/// The first line of [`classes_csv`].
pub const CSV_HEAD: &str = "task,method,seed,class,transfer,taken,right,agreement_source,agreement_target\n";

/// A line for each class, in the order of labels; `of` is what stands in the first three columns. What nobody knows stays blank.
///
/// # Errors
/// If candle cannot read the classes.
pub fn classes_csv(of: [&str; 3], knowledge: &Knowledge, classes: &[String]) -> Result<String> {
    let mut text = String::new();
    let number = |value: Option<f64>| value.map_or(String::new(), |value| format!("{value:.4}"));
    for (class, name) in classes.iter().enumerate() {
        let taken = taken(knowledge, class)?;
        let first = of.into_iter().chain([name.as_str()]).map(cell);
        let [source, target] = knowledge.answers.map(|answers| number(Some(answers.agreement)));
        let last =
            [number(knowledge.transfer(class)), taken.all.to_string(), number(taken.right), source, target];
        text += &first.chain(last).collect::<Vec<_>>().join(",");
        text.push('\n');
    }
    Ok(text)
}
