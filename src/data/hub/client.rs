//! Requests to the hub: with the token, patient where waiting helps, and in plain words where it does not.

use std::time::Duration;

use serde::Deserialize;
use ureq::Body;
use ureq::config::RedirectAuthHeaders;
use ureq::http::Response;

use super::{Event, Hub, Place, RemoteFile, Watch};
use crate::error::{Error, Result, complain};

/// How often a request is made before it counts as failed.
const TRIES: u32 = 5;
/// Whoever is told to wait longer than this is better told so.
const LONGEST_PAUSE: Duration = Duration::from_secs(300);
/// How long a connection may be silent.
const SILENCE: Duration = Duration::from_secs(30);

/// Why a request failed.
pub(super) enum Trouble {
    /// Trying again will not help.
    Lasting(Error),
    /// Trying again may help.
    Passing {
        /// What to say if it does not.
        error: Error,
        /// In short, for the bar.
        reason: String,
        /// How long the hub wants us to wait.
        pause: Option<Duration>,
        /// Whether this try brought at least a part.
        progress: bool,
    },
}

impl From<Error> for Trouble {
    fn from(error: Error) -> Self {
        Self::Lasting(error)
    }
}

/// Reads proxies from the environment; never takes the token to another host.
pub(super) fn agent() -> ureq::Agent {
    ureq::Agent::config_builder()
        .http_status_as_error(false)
        .redirect_auth_headers(RedirectAuthHeaders::SameHost)
        .timeout_connect(Some(SILENCE))
        .timeout_per_read(Some(SILENCE))
        .user_agent(concat!("toalign/", env!("CARGO_PKG_VERSION")))
        .build()
        .into()
}

/// The part of the hub's answer about a repository that matters here.
#[derive(Deserialize)]
struct Info {
    sha: String,
    siblings: Vec<Sibling>,
}

#[derive(Deserialize)]
struct Sibling {
    rfilename: String,
    lfs: Option<Lfs>,
}

#[derive(Deserialize)]
struct Lfs {
    sha256: String,
    size: u64,
}

impl Hub {
    /// The commit that the revision means now, and the large files in it.
    pub(super) fn list(&self, place: &Place, watch: Watch) -> Result<(String, Vec<RemoteFile>)> {
        let request = self.api.repo(place.repo()).info_request();
        let address = request.uri_ref().map(ToString::to_string).unwrap_or_default() + "?blobs=true";
        let where_from = place.repo().url();
        let info: Info = self.patiently(watch, || {
            let answer = self.get(&address, None, &where_from)?;
            serde_json::from_reader(answer.into_body().into_reader()).map_err(|error| {
                let found = format!("another answer ({error})");
                let complaint = complain("the hub's description of a repository", found)
                    .at(&where_from)
                    .advice("check HF_ENDPOINT and the proxy: something else than the hub may have answered");
                Trouble::Lasting(complaint.into())
            })
        })?;
        let described = |file: Sibling| {
            let Lfs { sha256, size } = file.lfs?;
            let whole = sha256.len() == 64 && sha256.bytes().all(|digit| digit.is_ascii_hexdigit());
            whole.then(|| RemoteFile { path: file.rfilename, size, sha256: sha256.to_lowercase() })
        };
        Ok((info.sha, info.siblings.into_iter().filter_map(described).collect()))
    }

    /// One request, from byte `from` on if the file is there in part.
    pub(super) fn get(
        &self,
        address: &str,
        from: Option<u64>,
        where_from: &str,
    ) -> std::result::Result<Response<Body>, Trouble> {
        // Compressed on the way, bytes could not be counted.
        let mut request = self.agent.get(address).header("Accept-Encoding", "identity");
        if let Some(token) = &self.token {
            request = request.header("Authorization", format!("Bearer {token}"));
        }
        if let Some(from) = from {
            request = request.header("Range", format!("bytes={from}-"));
        }
        match request.call() {
            Ok(answer) if answer.status().is_success() => Ok(answer),
            Ok(answer) => Err(self.refusal(answer, where_from)),
            Err(error) => Err(no_connection(&error, where_from)),
        }
    }

    fn refusal(&self, mut answer: Response<Body>, where_from: &str) -> Trouble {
        let status = answer.status();
        let header = |name: &str| answer.headers().get(name)?.to_str().ok().map(str::to_owned);
        let pause =
            header("retry-after").and_then(|seconds| seconds.trim().parse().ok()).map(Duration::from_secs);
        let said = header("x-error-message").or_else(|| {
            let body = answer.body_mut().with_config().limit(10_000).read_to_string().ok()?;
            Some(serde_json::from_str::<serde_json::Value>(&body).ok()?.get("error")?.as_str()?.to_owned())
        });
        let mut found = status.to_string();
        if let Some(said) = said {
            found = format!("{found}: {}", said.lines().next().unwrap_or_default());
        }
        if let Some(token) = &self.token {
            found = found.replace(token.as_str(), "(the token)");
        }
        let reason = found.clone();
        let again = "give the same command again later; it goes on where it stopped";
        let (expected, advice) = match (status.as_u16(), &self.token) {
            (401, None) => (
                "a repository that everybody may read",
                "check --repo; if the repository is private or gated, set HF_TOKEN to a token that may read it"
                    .to_owned(),
            ),
            (401, Some(_)) => (
                "a token that the hub accepts",
                "make a new token and set HF_TOKEN to it, or unset HF_TOKEN for public files".to_owned(),
            ),
            (403, _) => (
                "leave to read this repository",
                "accept its conditions on its page, then set HF_TOKEN to a token of that account".to_owned(),
            ),
            (404, _) => ("a repository, revision and file that exist", "check --repo, --revision and HF_ENDPOINT".to_owned()),
            (416, _) => ("a file of the size that the hub tells", again.to_owned()),
            (429, _) => ("no more requests than the hub allows", match pause {
                Some(pause) => format!("wait {} s, then give the same command again", pause.as_secs()),
                None => again.to_owned(),
            }),
            _ => ("the file", again.to_owned()),
        };
        let error = complain(expected, found).at(where_from).advice(advice).into();
        match status.as_u16() {
            408 | 429 | 500.. => Trouble::Passing { error, reason, pause, progress: false },
            _ => Trouble::Lasting(error),
        }
    }

    /// Tries again while it may help: after the pause that the hub asks for, or one that doubles each time.
    pub(super) fn patiently<T>(
        &self,
        watch: Watch,
        mut attempt: impl FnMut() -> std::result::Result<T, Trouble>,
    ) -> Result<T> {
        let mut failures = 0;
        loop {
            match attempt() {
                Ok(done) => return Ok(done),
                Err(Trouble::Lasting(error)) => return Err(error),
                Err(Trouble::Passing { error, reason, pause, progress }) => {
                    failures = if progress { 1 } else { failures + 1 };
                    let pause = pause.unwrap_or(self.pause * 2u32.pow(failures - 1));
                    if failures >= TRIES || pause > LONGEST_PAUSE {
                        return Err(error);
                    }
                    watch(Event::Waiting { reason: &reason, pause });
                    std::thread::sleep(pause);
                }
            }
        }
    }
}

fn no_connection(error: &ureq::Error, where_from: &str) -> Trouble {
    let reason = error.to_string();
    let complaint = complain("a connection to the hub", reason.clone())
        .at(where_from)
        .advice(
            "check the network, HTTPS_PROXY and HF_ENDPOINT, then give the same command again; it goes on where it \
             stopped. HF_HUB_OFFLINE=1 uses what was fetched before",
        )
        .into();
    match error {
        ureq::Error::Io(_)
        | ureq::Error::Timeout(_)
        | ureq::Error::HostNotFound
        | ureq::Error::ConnectionFailed
        | ureq::Error::Protocol(_) => {
            Trouble::Passing { error: complaint, reason, pause: None, progress: false }
        }
        _ => Trouble::Lasting(complaint),
    }
}
