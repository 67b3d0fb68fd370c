//! Labelled pictures out of a parquet file, a few at a time.

use std::fs::File;
use std::path::Path;

use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::reader::TreeBuilder;
use parquet::record::{Field, Row};

use crate::error::{Complaint, Error, Result, complain, file_error};

/// Pictures that are decoded ahead of the one being written.
const AHEAD: usize = 16;

/// One row: a picture as it was uploaded, still compressed.
pub(super) struct LabelledPicture {
    pub(super) bytes: Vec<u8>,
    /// Under which name it was uploaded, if that was kept.
    pub(super) name: Option<String>,
    pub(super) domain: String,
    pub(super) class: String,
}

/// Gives every row of `file` to `visit`, row group by row group.
///
/// The columns are those that the hub's library for data sets writes: `image` (`bytes` and `path`), `domain` and
/// `label`. Labels are numbers; their names stand in the file's metadata, and these are what `visit` gets.
pub(super) fn each_picture(file: &Path, mut visit: impl FnMut(LabelledPicture) -> Result<()>) -> Result<()> {
    let unreadable = |error: parquet::errors::ParquetError| -> Error {
        complain("a complete parquet file", error.to_string())
            .at(file.display())
            .advice("delete this file and fetch again")
            .into()
    };
    let opened = File::open(file).map_err(|error| file_error("read", file, error))?;
    let reader = SerializedFileReader::new(opened).map_err(unreadable)?;
    let metadata = reader.metadata().file_metadata();
    let notes = metadata.key_value_metadata().into_iter().flatten();
    let features = notes.filter(|note| note.key == "huggingface").find_map(|note| note.value.as_deref());
    let features: serde_json::Value =
        features.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
    let columns = Columns { features: &features["info"]["features"] };
    let mut number = 0;
    for group in 0..reader.num_row_groups() {
        let group = reader.get_row_group(group).map_err(unreadable)?;
        let rows = TreeBuilder::new().with_batch_size(AHEAD);
        for row in rows.as_iter(metadata.schema_descr_ptr(), &*group).map_err(unreadable)? {
            number += 1;
            let picture = columns.picture(row.map_err(unreadable)?).map_err(|complaint| {
                complaint.at(format!("{}, row {number}", file.display())).advice(
                    "name a repository of Office-Home with --repo: columns image, domain, label with names",
                )
            })?;
            visit(picture)?;
        }
    }
    Ok(())
}

struct Columns<'a> {
    /// What the metadata say about each column.
    features: &'a serde_json::Value,
}

impl Columns<'_> {
    fn picture(&self, row: Row) -> std::result::Result<LabelledPicture, Complaint> {
        let (mut image, mut domain, mut class) = (None, None, None);
        for (name, value) in row.into_columns() {
            match name.as_str() {
                "image" => image = Some(value),
                "domain" => domain = Some(self.text("domain", value)?),
                "label" => class = Some(self.text("label", value)?),
                _ => {}
            }
        }
        let (mut bytes, mut name) = (None, None);
        if let Some(Field::Group(parts)) = image {
            for part in parts.into_columns() {
                match part {
                    (part, Field::Bytes(value)) if part == "bytes" => bytes = Some(value.data().to_vec()),
                    (part, Field::Str(value)) if part == "path" => name = Some(value),
                    _ => {}
                }
            }
        }
        match (bytes, domain, class) {
            (Some(bytes), Some(domain), Some(class)) => Ok(LabelledPicture { bytes, name, domain, class }),
            (None, ..) => Err(complain("the bytes of a picture in the column image", "none")),
            (_, None, _) => Err(complain("a column domain", "none")),
            (_, _, None) => Err(complain("a column label", "none")),
        }
    }

    /// A name that is written out, or a number whose name stands in the metadata.
    fn text(&self, column: &str, value: Field) -> std::result::Result<String, Complaint> {
        let names = &self.features[column]["names"];
        match value {
            Field::Str(text) => Ok(text),
            Field::Long(label) => match usize::try_from(label).ok().and_then(|label| names[label].as_str()) {
                Some(name) => Ok(name.to_owned()),
                None => Err(complain(format!("the name of {column} {label} in the file's metadata"), "none")),
            },
            other => Err(complain(format!("a name or a number in the column {column}"), other.to_string())),
        }
    }
}
