"""Small templates, by what of the language they are about. Each is a template, or a template and its variables."""
