//! The identity of this replica, the only input from environment variables.

/// The pod's identity, set by the downward API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Env {
    /// The pod's name; part of the Lease holder's identity.
    pub pod_name: String,
    /// The pod's namespace; the default namespace of the RRs.
    pub pod_namespace: String,
}

/// A variable that is not set.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the environment variable {name} is not set; set it, in a pod by the downward API \
     (env: valueFrom.fieldRef.fieldPath: {field})"
)]
pub struct EnvError {
    name: &'static str,
    field: &'static str,
}

impl Env {
    /// Reads `POD_NAME` and `POD_NAMESPACE`.
    ///
    /// # Errors
    /// [`EnvError`] if one is not set, is empty or is not UTF-8.
    pub fn read() -> Result<Self, EnvError> {
        Self::from(|name| std::env::var(name).ok())
    }

    fn from(get: impl Fn(&'static str) -> Option<String>) -> Result<Self, EnvError> {
        let required = |name, field| get(name).filter(|value| !value.is_empty()).ok_or(EnvError { name, field });
        Ok(Self {
            pod_name: required("POD_NAME", "metadata.name")?,
            pod_namespace: required("POD_NAMESPACE", "metadata.namespace")?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::Env;

    #[test]
    fn both_variables_make_the_identity() {
        let env = Env::from(|name| Some(format!("value-of-{name}"))).unwrap();
        assert_eq!(env.pod_name, "value-of-POD_NAME");
        assert_eq!(env.pod_namespace, "value-of-POD_NAMESPACE");
    }

    #[test]
    fn the_error_for_a_missing_or_empty_variable_says_how_to_set_it() {
        for value in [None, Some(String::new())] {
            let error = Env::from(|name| if name == "POD_NAME" { Some("p".into()) } else { value.clone() });
            let text = error.unwrap_err().to_string();
            assert!(text.contains("POD_NAMESPACE") && text.contains("metadata.namespace"), "{text}");
        }
    }
}
