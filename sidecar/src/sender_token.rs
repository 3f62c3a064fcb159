//! The token of a sender, as an operator hands it to a command: never on the command line, which other users can read.

use std::env::VarError;
use std::fmt;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use clap::Args;
use serde::Deserialize;

use crate::auth::MAX_TOKEN_BYTES;

/// Where a sender's token is.
#[derive(Debug, Args)]
pub(crate) struct TokenArgs {
    /// File with a sender's token; `-` is standard input
    #[arg(long, value_name = "FILE", conflicts_with = "token_env")]
    token_file: Option<PathBuf>,
    /// Environment variable with a sender's token
    #[arg(long, value_name = "VARIABLE")]
    token_env: Option<String>,
}

/// A sender's token.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct SenderToken(String);

impl fmt::Debug for SenderToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SenderToken(..)")
    }
}

impl TokenArgs {
    /// The token; `None` if no place is named.
    ///
    /// # Errors
    /// If it is not there, or cannot be a token.
    pub(crate) fn read(&self) -> Result<Option<SenderToken>, String> {
        match (&self.token_file, &self.token_env) {
            (Some(file), _) => {
                let name = if file.as_os_str() == "-" { "standard input".into() } else { file.display().to_string() };
                let text = read(file).map_err(|error| format!("cannot read the token in {name}: {error}"))?;
                SenderToken::of(&text, &name).map(Some)
            }
            (None, Some(variable)) => of_variable(variable, std::env::var(variable)).map(Some),
            (None, None) => Ok(None),
        }
    }
}

/// The token in a variable with this value. The error of one that is no text holds its bytes, which may be a token.
fn of_variable(variable: &str, value: Result<String, VarError>) -> Result<SenderToken, String> {
    match value {
        Ok(text) => SenderToken::of(&text, variable),
        Err(VarError::NotPresent) => Err(format!("the environment variable {variable} is not set")),
        Err(VarError::NotUnicode(_)) => {
            Err(format!("the environment variable {variable} holds no token: it is no UTF-8"))
        }
    }
}

fn read(file: &Path) -> io::Result<String> {
    let input: Box<dyn Read> =
        if file.as_os_str() == "-" { Box::new(io::stdin().lock()) } else { Box::new(std::fs::File::open(file)?) };
    let mut text = String::new();
    // One byte more, so that a longer one is noticed.
    input.take(MAX_TOKEN_BYTES as u64 + 1).read_to_string(&mut text)?;
    Ok(text)
}

impl SenderToken {
    fn of(text: &str, place: &str) -> Result<Self, String> {
        let token = text.trim();
        let is_token = !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic());
        if !is_token || token.len() > MAX_TOKEN_BYTES {
            return Err(format!(
                "{place} holds no token: 1 to {MAX_TOKEN_BYTES} visible ASCII characters; \
                 `kubectl create token NAME --namespace NAMESPACE --audience onceway` prints one"
            ));
        }
        Ok(Self(token.to_owned()))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// The audiences that the token itself names; empty if it names none. Not verified.
    pub(crate) fn audiences(&self) -> Vec<String> {
        #[derive(Deserialize)]
        struct Claims {
            aud: Audiences,
        }
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Audiences {
            One(String),
            Many(Vec<String>),
        }
        let payload = self.0.split('.').nth(1).and_then(|payload| URL_SAFE_NO_PAD.decode(payload).ok());
        match payload.and_then(|payload| serde_json::from_slice::<Claims>(&payload).ok()) {
            Some(Claims { aud: Audiences::One(audience) }) => vec![audience],
            Some(Claims { aud: Audiences::Many(audiences) }) => audiences,
            None => Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::env::VarError;
    use std::ffi::OsString;
    use std::fs;
    use std::os::unix::ffi::OsStringExt;

    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;

    use super::{SenderToken, TokenArgs, of_variable};

    #[test]
    fn a_token_is_read_from_a_file_without_the_space_around_it() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let args = TokenArgs { token_file: Some(file.path().to_owned()), token_env: None };
        fs::write(file.path(), "abc.def.ghi\n").unwrap();
        assert_eq!(args.read().unwrap().unwrap().as_str(), "abc.def.ghi");
        for text in ["", "\n", "two words", "é", &"a".repeat(20_000)] {
            fs::write(file.path(), text).unwrap();
            let error = args.read().unwrap_err();
            assert!(error.contains("holds no token") && error.contains("kubectl create token"), "{error}");
        }
    }

    #[test]
    fn a_place_without_a_token_is_named_and_no_place_is_no_token() {
        let file = TokenArgs { token_file: Some("/nowhere/token".into()), token_env: None };
        assert!(file.read().unwrap_err().contains("/nowhere/token"));
        let variable = TokenArgs { token_file: None, token_env: Some("ONCEWAY_NO_SUCH_TOKEN".into()) };
        assert!(variable.read().unwrap_err().contains("ONCEWAY_NO_SUCH_TOKEN"));
        assert_eq!(TokenArgs { token_file: None, token_env: None }.read().unwrap(), None);
    }

    #[test]
    fn a_variable_that_is_no_text_is_an_error_that_does_not_show_it() {
        let value = OsString::from_vec(b"secret\xff".to_vec());
        let error = of_variable("TOKEN", Err(VarError::NotUnicode(value))).unwrap_err();
        assert!(error.contains("TOKEN") && error.contains("UTF-8") && !error.contains("secret"), "{error}");
    }

    #[test]
    fn the_audiences_of_a_token_are_those_that_it_names_and_the_token_is_never_shown() {
        let audiences = |claims: &str| {
            let token = SenderToken(format!("a.{}.b", URL_SAFE_NO_PAD.encode(claims)));
            assert_eq!(format!("{token:?}"), "SenderToken(..)");
            token.audiences()
        };
        assert_eq!(audiences(r#"{"aud":["onceway","x"]}"#), ["onceway", "x"]);
        assert_eq!(audiences(r#"{"aud":"onceway"}"#), ["onceway"]);
        assert!(audiences("{}").is_empty() && SenderToken("opaque".into()).audiences().is_empty());
    }
}
