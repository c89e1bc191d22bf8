"""Personal data as the domain sees it: a closed envelope that it may pass on and never opens."""

from libs.kernel.shapes import value


@value
class Sealed:
    """A field of personal data, encrypted with its person's own key; once that key is destroyed, nobody can read it.

    `box` is text of the form `v1.<key id>.<base64url of nonce and ciphertext>`. Two envelopes are equal only when they
    are the same envelope, never because they hold the same words.
    """

    box: str
