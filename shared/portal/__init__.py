"""The web portal: pages, forms, templates, styles, translations. Rules belong to the services."""
