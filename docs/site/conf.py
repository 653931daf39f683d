# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Sphinx's settings for the documentation's site; `make docs` builds it, without a network."""

project = 'aemops.brand_portal'
copyright = '2026, aemops.brand_portal contributors'
title = 'Brand Portal collection'
html_short_title = title

extensions = ['myst_parser', 'sphinx_antsibull_ext']
source_suffix = {'.md': 'markdown', '.rst': 'restructuredtext'}
myst_heading_anchors = 4
html_theme = 'sphinx_ansible_theme'
html_theme_options = {'vcs_pageview_mode': 'edit', 'documentation_home_url': ''}
html_show_sphinx = False
html_copy_source = False
highlight_language = 'yaml+jinja'
# Modules of ansible-core are named without a link: their pages are elsewhere.
nitpicky = False
default_role = 'any'
