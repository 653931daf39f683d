# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Next steps for a daemon that does not keep the clock, whichever daemon it is."""

TOO_FAR = 'Raise max_distance (in the roles time_sync_max_distance) if it is the right server.'
ONLY_OBSERVED = 'Remove noselect there, or name other servers, then run again.'
NOT_SYNCHRONIZED = 'Synchronize the servers themselves, or name other ones.'
DISAGREE = 'They do not agree: name more servers.'
MEET_CONDITION = 'Use another provider, or see that it is met.'
REMOVE_X = 'Remove the option and restart the unit, or use another provider.'
SCRIPT_ADDS_X = ('Restart {0}, then run again. If it has the option again, the script that starts it adds it, as that of Ubuntu '
                 'does in a container (SYNC_IN_CONTAINER in /etc/default/chrony): allow it to set the clock there, or use another '
                 'provider.')
