//! Where the images will be: the names by which a chart finds them, with digests.

use anyhow::{Context, Result, ensure};
use oci_spec::distribution::Reference;
use oci_spec::image::Descriptor;

use crate::{filter, sidecar};

/// A registry's host and the path in it, such as `registry.example.com/team`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registry(String);

impl Registry {
    /// The registry that `text` names.
    ///
    /// # Errors
    /// If it is no HOST/PATH; the error says what is expected.
    pub fn parse(text: &str) -> Result<Self> {
        let text = text.trim_end_matches('/');
        let expected = || {
            format!(
                "`{text}` is no registry to push to; expected HOST/PATH or HOST:PORT/PATH in lower case, without a \
                 scheme, such as registry.example.com/team"
            )
        };
        let host = text.split('/').next().unwrap_or_default();
        // A first component without these is no host, but a path in a container engine's default registry.
        ensure!(host == "localhost" || host.contains(['.', ':']), expected());
        let image: Reference = format!("{text}/{}", sidecar::NAME).parse().with_context(expected)?;
        ensure!(image.registry() == host, expected());
        Ok(Self(text.to_owned()))
    }

    /// The repository of the image `name`.
    #[must_use]
    pub fn repository(&self, name: &str) -> String {
        format!("{}/{name}", self.0)
    }

    /// The values for the Helm chart.
    #[must_use]
    pub fn values(&self, image: &Descriptor, module: &Descriptor) -> String {
        let entry = |key, name, image: &Descriptor| {
            format!("{key}:\n  repository: {}\n  digest: {}\n", self.repository(name), image.digest())
        };
        "# Written by `cargo xtask images`: helm install -f FILE ...\n".to_owned()
            + &entry("image", sidecar::NAME, image)
            + &entry("filter", filter::NAME, module)
    }
}

#[cfg(test)]
mod tests {
    use super::Registry;

    #[test]
    fn a_host_with_a_path_or_a_port_or_without_either_is_a_registry() {
        for (text, repository) in [
            ("registry.example.com/team", "registry.example.com/team/onceway"),
            ("registry.example.com", "registry.example.com/onceway"),
            ("127.0.0.1:5000/a/b/", "127.0.0.1:5000/a/b/onceway"),
            ("localhost/a", "localhost/a/onceway"),
        ] {
            assert_eq!(Registry::parse(text).unwrap().repository("onceway"), repository);
        }
    }

    #[test]
    fn what_is_no_host_and_path_is_an_error_that_says_what_is_expected() {
        for text in
            ["", "team", "team/x", "https://registry.example.com/x", "registry.example.com/Team", "a.b/x:1", "a.b/ x"]
        {
            let error = Registry::parse(text).unwrap_err().to_string();
            assert!(error.contains("HOST/PATH"), "{text}: {error}");
        }
    }
}
