//! Headers by which a browser that gets a response of ours neither guesses its type, nor shows it in a frame, nor loads or
//! tells anything because of it. Sidecar and filter add them to every response.

/// The headers of every response, and their values.
pub const SECURITY_HEADERS: [(&str, &str); 4] = [
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "DENY"),
    ("content-security-policy", "default-src 'none'"),
    ("referrer-policy", "no-referrer"),
];

/// The further header of a response over TLS (HSTS, RFC 6797, which forbids it elsewhere), and its value.
pub const STRICT_TRANSPORT_SECURITY: (&str, &str) =
    ("strict-transport-security", "max-age=31536000; includeSubDomains");
