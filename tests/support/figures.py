"""What figures say."""


def legend(figure):
    """Return the texts of a legend."""
    return [text.get_text() for text in figure.legends[0].get_texts()]


def notes(figure):
    return " ".join(text.get_text() for text in figure.texts).replace("\n", " ")
