//! The words that show in a name that its value is secret or personal, and those that show the opposite.
//!
//! Sources: RFC 6749, 7519, 7636, 7662 (OAuth, JWT), SAML 2.0 bindings, RFC 6265 and the manuals of frameworks for their
//! session's names, the URL signatures of AWS, Google and Azure; else dictionaries. Words are in lower case, without
//! accents and with them as people write both. `name.rs` says how they are compared; tables in `tests/` have names of
//! both kinds.

/// Words that make a parameter secret or personal, wherever they are in its name.
#[rustfmt::skip]
pub(super) const SECRET: &[&str] = &[
    "2fa", "accesskey", "accesstoken", "address", "apikey", "apitoken", "assertion", "auth", "authcode",
    "authentication", "authenticity", "authkey", "authorization", "authtoken", "bearer", "birth", "birthdate",
    "birthday", "cardnumber", "ccnumber", "cookie", "creditcard", "credential", "credentials", "csrf", "cvc", "cvv",
    "dob", "email", "emailaddress", "emails", "fax", "firstname", "fname", "fullname", "hmac", "iban", "idtoken",
    "jsessionid", "jwt", "lastname", "lname", "mail", "mfa", "msisdn", "nonce", "oauth", "otp", "passcode",
    "passphrase", "passport", "passwd", "password", "passwords", "phone", "phonenumber", "phones", "phpsessid",
    "privatekey", "pwd", "samlresponse", "secret", "secretkey", "secrets", "sessid", "session", "sessionid",
    "sessionkey", "sid", "sig", "signature", "ssn", "street", "surname", "tel", "telephone", "token", "totp",
    "username", "verifier", "xsrf",
    // Authentication, signatures of URLs, sessions of frameworks.
    "accesskeyid", "aspsessionid", "awsaccesskeyid", "awskey", "cfid", "eventvalidation", "googleaccessid", "jsession",
    "jsessionidsso", "keypairid", "loginticket", "magiclink", "onetimecode", "oscsid", "ossaccesskeyid", "pw", "pswd",
    "passwrd", "passwort", "pgtiou", "pgtid", "psw", "relaystate", "samlart", "samlrequest", "seckey", "sess",
    "sesskey", "sessiontoken", "sessionuuid", "smscode", "sshkey", "ssotoken", "userpass", "userpw", "viewstate",
    "wresult", "xtcsid", "zenid",
    // German
    "adresse", "anschrift", "ausweisnummer", "emailadresse", "familienname", "geburtsdatum",
    "geburtsname", "geburtstag", "hausnummer", "handynummer", "kartennummer", "kennwort", "kontonummer",
    "kreditkarte", "kreditkartennummer", "mailadresse", "mobilnummer", "nachname", "personalausweis",
    "postanschrift", "rechnungsadresse", "lieferadresse", "rufnummer", "sicherheitscode", "sitzungsid", "sozialversicherungsnummer",
    "steuernummer", "strasse", "straße", "telefon", "telefonnummer", "versichertennummer", "vorname", "zugangscode",
    "benutzername", "geheimnis", "steuerid", "nutzername", "anmeldename",
    // French
    "adressemail", "courriel", "datedenaissance", "mdp", "motdepasse", "naissance",
    "nomdefamille", "nomcomplet", "nomutilisateur", "numerocarte", "passe", "prenom", "prénom", "rue",
    "telephoneportable", "téléphone", "numerotelephone", "numsecu", "jeton",
    // Spanish
    "apellido", "apellidos", "calle", "cedula", "cédula", "celular", "clave", "contrasena", "contraseña", "contrasenia",
    "correo", "correoelectronico", "numerotarjeta", "curp", "direccion", "dirección", "dni", "fechanacimiento", "nacimiento",
    "nombrecompleto", "nombreusuario", "primerapellido", "primernombre", "segundoapellido", "telefono", "teléfono",
    "domicilio",
    // Portuguese
    "cpf", "endereco", "endereço", "datanascimento", "nascimento", "nomecompleto", "nomeusuario", "palavrapasse",
    "rua", "senha", "senhas", "sobrenome", "telefone", "telemovel", "telemóvel", "logradouro", "apelido", "morada",
    // Italian
    "cellulare", "codicefiscale", "cognome", "datadinascita", "indirizzo", "nascita", "nomeutente",
    "telefonino",
    // Dutch
    "achternaam", "adres", "bsn", "emailadres", "geboorte", "geboortedatum", "huisnummer", "mailadres",
    "mobielnummer", "rekeningnummer", "straat", "telefoon", "telefoonnummer", "toegangscode", "voornaam", "wachtwoord",
    "gebruikersnaam", "tussenvoegsel",
    // Japanese and Korean, in Latin letters
    "denwa", "denwabango", "jusho", "juusho", "jyusho", "myoji", "shimei", "seikana", "meikana", "furigana",
    "seinengappi", "pasuwado", "bimil", "bimilbeonho", "ireum", "jeonhwa", "juso", "jumin",
    // Names and addresses in forms (HTML's `autocomplete`, vCard, OpenID Connect)
    "addressline", "addr", "bday", "familyname", "forename", "givenname", "housenumber", "maidenname", "mailto", "middlename",
    "mobilenumber", "mobileno", "mobilephone", "cellphone", "phoneno", "streetaddress", "taxid", "nin", "nino",
    "nationalid", "socialsecurity", "socialsecuritynumber", "bankaccount", "accountnumber", "sortcode", "routingnumber",
    "swiftbic", "cardholder", "ccnum", "cccvc", "cccsc", "cvv2", "cvn", "ccv", "pesel", "bvn", "aadhaar", "passportnumber",
];

/// Endings that count in a name without borders between its words (`usertoken`, `contactemail`).
pub(super) const SECRET_ENDS: &[&str] = &[
    "token",
    "password",
    "passwd",
    "passwort",
    "secret",
    "apikey",
    "sessionid",
    "sessid",
    "email",
    "signature",
];

/// Words in names of scripts without borders between words, wherever they are in the name.
#[rustfmt::skip]
pub(super) const WITHOUT_BORDERS: &[&str] = &[
    // Japanese: password, PIN, name, surname, reading of a name, address, telephone, mail, date of birth, card number
    "パスワード", "暗証番号", "氏名", "お名前", "姓名", "苗字", "フリガナ", "ふりがな", "住所", "電話番号", "メール", "生年月日", "カード番号", "認証コード",
    // Korean: password, name (of a person), address, telephone, mail, date of birth, resident's number, card number, code
    "비밀번호", "성명", "이름", "주소", "전화번호", "휴대폰", "이메일", "메일", "생년월일", "주민등록번호", "카드번호", "인증번호",
];

/// Last words of names whose value is about a secret, and not the secret: `token_type`, `session_count`, `phone_model`.
#[rustfmt::skip]
pub(super) const ABOUT: &[&str] = &[
    "age", "brand", "campaign", "category", "client", "color", "consent", "count", "domain", "duration", "enabled", "error",
    "endpoint", "expired", "expires", "expiry", "format", "frequency", "in", "index", "lang", "language", "length", "level", "limit",
    "list", "max", "method", "min", "mode", "model", "newsletter", "optin", "origin", "page", "policy", "position",
    "provider", "rate", "required", "rules", "scheme", "score", "size", "source", "start", "started", "status", "step",
    "sent", "opened", "strength", "style", "subject", "tab", "template", "theme", "time", "timeout", "title", "total", "ttl", "type",
    "types", "uri", "url", "valid", "variant", "verified", "version", "visible", "width",
];

/// Words before `key` for a key that is not secret.
#[rustfmt::skip]
pub(super) const PLAIN_KEYS: &[&str] = &[
    "answer", "cache", "category", "column", "config", "event", "facet", "feature", "field", "filter", "foreign", "group",
    "grouping", "hash", "i18n", "image", "index", "item", "language", "layout", "list", "locale", "lookup", "map", "menu",
    "message", "object", "order", "page", "partition", "primary", "product", "property", "public", "row", "search",
    "section", "site", "sort", "storage", "tab", "table", "tag", "template", "theme", "translation", "widget",
];

/// Words before `code` for a secret code. Others (`promo_code`, `country_code`, `error_code`) are not secret.
#[rustfmt::skip]
pub(super) const OPENING_CODES: &[&str] = &[
    "access", "activation", "auth", "backup", "card", "confirm", "confirmation", "device", "invitation", "invite",
    "login", "magic", "mfa", "oauth", "one", "otp", "pass", "pin", "recovery", "reset", "secret", "security", "sms",
    "time", "unlock", "user", "verification", "verify",
];

/// Words before `name` for the name of a person.
pub(super) const PERSONS_NAMES: &[&str] = &[
    "additional",
    "cardholder",
    "contact",
    "family",
    "first",
    "full",
    "given",
    "holder",
    "last",
    "legal",
    "login",
    "maiden",
    "middle",
    "nick",
    "sur",
    "user",
];

/// Words before a secret `pass` or `pin`, as opposed to a ski pass or a pin on a map. Both are secret alone, too.
pub(super) const PASS_OF: &[&str] = &["admin", "card", "confirm", "db", "login", "my", "new", "old", "user"];

/// Words before `number` and `no` for a number that identifies a person or an account.
pub(super) const NUMBERED: &[&str] = &[
    "mobile",
    "card",
    "account",
    "cc",
    "bank",
    "cell",
    "contact",
    "id",
    "insurance",
    "license",
    "tax",
    "whatsapp",
];

/// Names whose value is secret if it has the form of a token, because other values of such names say what a page shows:
/// `state=CA` and the `state` of OAuth, `ticket=4711` and the ticket of CAS, `reset=1` and the link of a mail.
#[rustfmt::skip]
pub(super) const BY_FORM: &[&str] = &[
    "accept", "activate", "activation", "challenge", "confirm", "confirmation", "digest", "hash", "invitation",
    "invite", "invitetoken", "join", "login", "magic", "optin", "optout", "pgt", "policy", "recover", "recovery",
    "reset", "signin", "state", "st", "ticket", "tgt", "unlock", "unsubscribe", "validate", "validation",
    "verification", "verify", "wctx",
];

/// Words of a path's segment after which a segment with the form of a token is one: links in mails, mostly.
#[rustfmt::skip]
pub(super) const OPENING: &[&str] = &[
    "accept", "activate", "activation", "aktivieren", "aktivierung", "apikey", "attiva", "auth", "bestaetigen",
    "bestaetigung", "bestätigen", "bevestigen", "callback", "confirm", "confirma", "confirmar", "confirmation",
    "confirmer", "conferma", "einladung", "forgot", "invitation", "invite", "invites", "join", "login", "magic",
    "magiclink", "oauth", "onetime", "optin", "optout", "otp", "passwd", "password", "passwords", "passwort", "pwd",
    "recover", "recovery", "redefinir", "registrierung", "reinitialiser", "réinitialiser", "reset", "restablecer",
    "secret", "secrets", "senha", "session", "sessions", "signin", "sso", "ticket", "token", "tokens", "unlock",
    "unsubscribe", "validate", "validation", "verification", "verificar", "verifieren", "verifier", "verify", "vérifier",
    "wachtwoord", "webhook", "webhooks", "zuruecksetzen", "zurücksetzen", "abmelden", "desuscribir", "desabonner",
];

/// Names of identifiers that follow a browser or a person from page to page: of advertising, statistics and mailings.
/// Of visitors who asked not to be tracked, these values are not kept.
#[rustfmt::skip]
pub(super) const TRACKING: &[&str] = &[
    "adid", "androidid", "anonid", "anonymousid", "browserid", "ceid", "cid", "clickid", "clientid", "clientsubid",
    "contactid", "customerid", "dclid", "deviceid", "distinctid", "epik", "eid", "fbc", "fbclid", "fbp", "fingerprint",
    "gaid", "gbraid", "gclid", "gclsrc", "gsclid", "guid", "hsenc", "hsmi", "idfa", "idfv", "igshid", "irclickid",
    "klid", "leadid", "lifatid", "mceid", "mccid", "memberid", "mkttok", "msclkid", "muid", "pageviewid", "personid",
    "profileid", "puid", "rdtcid", "sccid", "scid", "sessionid", "subscriberid", "suid", "trackingid", "ttclid", "ttp",
    "twclid", "uid", "uniqueid", "userid", "uuid", "vid", "veroid", "visid", "visitor", "visitorid", "wbraid", "yclid",
    "ymclid", "ga", "gl", "hstc", "hssc", "oly", "srsltid", "branchmatchid",
];
