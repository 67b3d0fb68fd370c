//! Some pictures of a domain, evenly spaced: a quicker test on sources that are large.

use std::sync::Arc;

use image::{GrayImage, RgbImage};

use crate::data::dataset::{Domain, Pictures};
use crate::error::Result;

/// At most `most` pictures of each domain that this one is made of, evenly spaced; all of a domain that has no more.
///
/// The published code tests so on the sources of DomainNet, with 2,000 pictures each.
///
/// ```
/// use toalign::mini_home::{Options, Split, domain};
/// use toalign::data::thinned::thin;
/// let art = domain("Ar", Split::Train, &Options::default())?;
/// let few = thin(&art, 3);
/// assert_eq!((few.name.as_str(), few.pictures.len()), ("Art", 3));
/// assert_eq!(few.pictures.name(1), art.pictures.name(160));
/// assert_eq!(thin(&art, 1000).pictures.len(), 480);
/// # Ok::<(), toalign::Error>(())
/// ```
pub fn thin(domain: &Domain, most: usize) -> Domain {
    let (mut kept, mut parts, mut start) = (Vec::new(), Vec::new(), 0);
    for length in domain.pictures.parts() {
        let count = length.min(most);
        kept.extend((0..count).map(|place| start + place * length / count));
        parts.push(count);
        start += length;
    }
    let pictures = Thinned { all: domain.pictures.clone(), kept, parts };
    Domain { name: domain.name.clone(), pictures: Arc::new(pictures) }
}

struct Thinned {
    all: Arc<dyn Pictures>,
    kept: Vec<usize>,
    parts: Vec<usize>,
}

impl Pictures for Thinned {
    fn len(&self) -> usize {
        self.kept.len()
    }

    fn parts(&self) -> Vec<usize> {
        self.parts.clone()
    }

    fn name(&self, index: usize) -> String {
        self.all.name(self.kept[index])
    }

    fn label(&self, index: usize) -> u32 {
        self.all.label(self.kept[index])
    }

    fn decode(&self, index: usize) -> Result<RgbImage> {
        self.all.decode(self.kept[index])
    }

    fn mask(&self, index: usize) -> Result<Option<GrayImage>> {
        self.all.mask(self.kept[index])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::joined::join;
    use crate::mini_home::{self, Options, Split};

    #[test]
    fn each_domain_is_thinned_by_itself() {
        let load = |name| mini_home::domain(name, Split::Train, &Options::default()).unwrap();
        let both = join(vec![load("Ar"), load("Pr")]);
        let few = thin(&both, 7);
        assert_eq!(few.pictures.parts(), [7, 7]);
        let step = |place: usize| place * 480 / 7;
        assert_eq!(few.pictures.name(6), both.pictures.name(step(6)));
        assert_eq!(few.pictures.name(8), both.pictures.name(480 + step(1)));
        assert_eq!(few.pictures.label(8), both.pictures.label(480 + step(1)));
        assert_eq!(few.pictures.decode(13).unwrap(), both.pictures.decode(480 + step(6)).unwrap());
    }
}
