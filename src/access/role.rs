//! Roles of a facility and of the platform.

use crate::text_enum::text_enum;

text_enum! {
    /// A role a member holds in a facility.
    Role {
        /// Manages staff, roles and settings of the facility.
        Administrator = "administrator",
        /// Treats patients and prescribes.
        Physician = "physician",
        /// Cares for patients and records vitals.
        Nurse = "nurse",
        /// Dispenses and reviews medication.
        Pharmacist = "pharmacist",
        /// Carries out tests and records results.
        Technician = "technician",
        /// Supports patients with social needs.
        SocialWorker = "social_worker",
        /// Coordinates the care of patients.
        CaseManager = "case_manager",
        /// Operates the system for the facility; sees no charts.
        SystemAdmin = "system_admin",
        /// Provides therapy; may be restricted to their own patients.
        Therapist = "therapist",
        /// Bills for care.
        BillingSpecialist = "billing_specialist",
        /// Registers patients and books appointments.
        FrontDesk = "front_desk",
        /// Reviews who saw what.
        PrivacyOfficer = "privacy_officer",
        /// A person in care using the portal.
        Patient = "patient",
    }
}

text_enum! {
    /// A role on the platform itself, outside any facility.
    PlatformRole {
        /// Creates facilities and grants platform roles.
        SuperAdmin = "super_admin",
        /// Helps users of all facilities; sees no charts.
        SupportAdmin = "support_admin",
        /// Maintains reference data and public content.
        ContentAdmin = "content_admin",
        /// Reviews what users publish.
        Moderator = "moderator",
    }
}
