"""How much one caller may ask for, and from where: quotas by the minute, paces by the second, sockets, origins. Pure.

Every check is one call without a wait in it, so that no two requests can take the same unit. Time is passed in. Every
table is bounded, and what it forgets first is what was not used for longest.
"""
