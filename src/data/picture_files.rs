//! The pictures of one domain in files, each with its label.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use image::RgbImage;
use rayon::prelude::*;

use crate::data::dataset::{Domain, Pictures};
use crate::data::decode::decode_file;
use crate::data::listed::{MOST_LISTED, some_of};
use crate::error::{Error, Result, complain};

/// How to read pictures from a disk.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// Decode every picture once at the start, and leave out those that cannot be decoded, named and counted in
    /// [`Task::remarks`](crate::data::dataset::Task::remarks). Otherwise such a picture is an error when its turn comes.
    pub skip_bad_images: bool,
    /// The colour to put under transparent pictures; `None` as in [`crate::data::decode::decode`].
    pub background: Option<[u8; 3]>,
}

/// The pictures of one domain on disk; nothing is decoded before it is asked for.
#[derive(Clone, Debug)]
pub struct PictureFiles {
    /// Where each picture is, and its label.
    pub files: Vec<(PathBuf, u32)>,
    /// The colour to put under transparent pictures.
    pub background: Option<[u8; 3]>,
}

impl Pictures for PictureFiles {
    fn len(&self) -> usize {
        self.files.len()
    }

    fn name(&self, index: usize) -> String {
        self.files[index].0.display().to_string()
    }

    fn label(&self, index: usize) -> u32 {
        self.files[index].1
    }

    fn decode(&self, index: usize) -> Result<RgbImage> {
        decode_file(&self.files[index].0, self.background).map_err(|error| match error {
            Error::Input(complaint) => complaint
                .or_advice("replace or delete this file, or add --skip-bad-images to leave such files out")
                .into(),
            other => other,
        })
    }
}

impl PictureFiles {
    /// The domain of these files; with `skip_bad_images` without those that cannot be decoded, which are remarked upon.
    pub(super) fn into_domain(
        mut self,
        name: &str,
        options: &Options,
        remarks: &mut Vec<String>,
    ) -> Result<Domain> {
        if options.skip_bad_images {
            remarks.extend(self.leave_out_bad(name)?);
        }
        Ok(Domain { name: name.to_owned(), pictures: Arc::new(self) })
    }

    /// Takes out what [`check`] found; returns the remark about it, if there is one to make.
    pub(super) fn leave_out_bad(&mut self, domain: &str) -> Result<Option<String>> {
        let bad = check(self);
        if bad.is_empty() {
            return Ok(None);
        }
        let all = self.len();
        let reasons = bad.iter().take(MOST_LISTED).map(|(_, error)| format!("\n  {}", first_line(error)));
        let mut remark =
            format!("{domain}: left out {} of {all} pictures, which cannot be decoded:", bad.len());
        remark.extend(reasons);
        if bad.len() > MOST_LISTED {
            remark.push_str(&format!("\n  and {} more", bad.len() - MOST_LISTED));
        }
        if bad.len() == all {
            return Err(
                complain(format!("a picture in the domain {domain} that can be decoded"), remark).into()
            );
        }
        let bad: BTreeSet<usize> = bad.into_iter().map(|(index, _)| index).collect();
        let mut index = 0..;
        let before = self.files.clone();
        self.files.retain(|_| index.next().is_none_or(|index| !bad.contains(&index)));
        let left: BTreeSet<u32> = self.files.iter().map(|(_, label)| *label).collect();
        let emptied = before.iter().filter(|(_, label)| !left.contains(label));
        let emptied = emptied.filter_map(|(file, _)| Some(file.parent()?.display().to_string()));
        let emptied: BTreeSet<String> = emptied.collect();
        if !emptied.is_empty() {
            remark += &format!("\n  so no picture is left in {}", some_of(&emptied));
        }
        Ok(Some(remark))
    }
}

/// Decodes every picture once, on all cores; returns those that fail, by index, with the reason.
pub fn check(pictures: &dyn Pictures) -> Vec<(usize, Error)> {
    (0..pictures.len())
        .into_par_iter()
        .filter_map(|index| Some((index, pictures.decode(index).err()?)))
        .collect()
}

/// A message without its advice.
pub(super) fn first_line(error: &Error) -> String {
    error.to_string().lines().next().unwrap_or_default().to_owned()
}
